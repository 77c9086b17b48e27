using k8s.Models;

namespace Deploy.Tests;

public sealed class KustomizationTests
{
    [Fact]
    public void Each_lists_the_files_beside_it_and_no_others()
    {
        Assert.NotEmpty(Manifests.Folders);
        foreach (var folder in Manifests.Folders)
        {
            var kustomization = DeployFiles.ReadYaml(Path.Combine(folder, "kustomization.yaml"));
            Assert.StartsWith("kustomize.config.k8s.io/", kustomization["apiVersion"].Text, StringComparison.Ordinal);

            var (files, folders) = (new HashSet<string>(StringComparer.Ordinal), new List<string>());
            foreach (var resource in kustomization["resources"].Items.Select(item => item.Text))
            {
                if (resource.EndsWith(".yaml", StringComparison.Ordinal))
                {
                    files.Add(resource);
                }
                else
                {
                    folders.Add(resource);
                }
            }
            Assert.All(folders, other => Assert.Contains(Path.GetFullPath(Path.Combine(folder, other)), Manifests.Folders));
            // A kustomization may not include what includes it.
            Assert.All(folders, other => Assert.False((folder + "/").StartsWith(Path.GetFullPath(Path.Combine(folder, other)) + "/", StringComparison.Ordinal), other));
            Assert.Equal(Manifests.FilesOf(folder).Select(Path.GetFileName).Order(), files.Order());

            var generated = kustomization["configMapGenerator"].Items.Concat(kustomization["secretGenerator"].Items)
                .SelectMany(entry => entry["envs"].Items.Concat(entry["files"].Items)).Select(file => file.Text);
            Assert.All(generated, name => Assert.NotNull(Manifests.FindGenerated(folder, name)));
        }
    }

    [Fact]
    public void Images_that_are_given_a_tag_are_those_that_manifests_name()
    {
        var tagged = DeployFiles.ReadYaml(Path.Combine(DeployFiles.Kubernetes, "base", "kustomization.yaml"))["images"].Items.Select(image => image["name"].Text);

        Assert.Equal(Manifests.Containers.Select(container => ServiceContainer.ImagePrefix + container.Service).Distinct().Order(), tagged.Order());
    }

    [Fact]
    public void Objects_have_names_of_their_own_and_leave_the_namespace_open()
    {
        Assert.All(Manifests.Objects, item => Assert.False(string.IsNullOrEmpty(item.ApiVersion) || string.IsNullOrEmpty(item.Kind) || string.IsNullOrEmpty(item.Name())));
        Assert.All(Manifests.Objects, item => Assert.Null(item.Namespace()));
        Assert.Distinct(Manifests.Objects.Select(item => $"{item.Kind} {item.Name()}"));
    }

    [Fact]
    public void Secrets_and_settings_that_pods_refer_to_are_generated()
    {
        var secrets = Manifests.GeneratedKeys("secretGenerator");
        var settings = Manifests.GeneratedKeys("configMapGenerator");
        foreach (var (name, pod) in Manifests.Workloads)
        {
            var containers = (pod.Spec.InitContainers ?? []).Concat(pod.Spec.Containers).ToList();
            Assert.All(containers.SelectMany(container => container.EnvFrom ?? []), from => Assert.True(settings.Contains(from.ConfigMapRef.Name), name));
            Assert.All(
                containers.SelectMany(container => container.Env ?? []).Select(variable => variable.ValueFrom?.SecretKeyRef).OfType<V1SecretKeySelector>(),
                key => Assert.Contains(key.Key, secrets[key.Name]));
            Assert.All((pod.Spec.Volumes ?? []).Where(volume => volume.Secret is not null), volume => Assert.True(secrets.Contains(volume.Secret.SecretName), name));
            Assert.All(
                (pod.Spec.Volumes ?? []).Where(volume => volume.ConfigMap is not null),
                volume => Assert.All(volume.ConfigMap.Items, item => Assert.Contains(item.Key, settings[volume.ConfigMap.Name])));
        }
    }
}

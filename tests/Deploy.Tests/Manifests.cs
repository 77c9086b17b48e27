using System.Globalization;
using k8s;
using k8s.Models;

namespace Deploy.Tests;

/// <summary>The manifests, read strictly: a field that Kubernetes does not know is an error.</summary>
internal static class Manifests
{
    /// <summary>Every folder with a kustomization.</summary>
    public static IReadOnlyList<string> Folders { get; } =
        [.. Directory.EnumerateFiles(DeployFiles.Kubernetes, "kustomization.yaml", SearchOption.AllDirectories).Select(file => Path.GetDirectoryName(file)!).Order(StringComparer.Ordinal)];

    /// <summary>Every object, generated ones excepted.</summary>
    public static IReadOnlyList<IKubernetesObject<V1ObjectMeta>> Objects { get; } =
        [.. Folders.SelectMany(FilesOf).SelectMany(file => KubernetesYaml.LoadAllFromString(File.ReadAllText(file), strict: true)).Cast<IKubernetesObject<V1ObjectMeta>>()];

    public static IReadOnlyList<(string Name, V1PodTemplateSpec Pod)> Workloads { get; } =
    [
        .. Of<V1Deployment>().Select(deployment => (deployment.Name(), deployment.Spec.Template)),
        .. Of<V1StatefulSet>().Select(set => (set.Name(), set.Spec.Template)),
    ];

    /// <summary>Our services' containers.</summary>
    public static IEnumerable<ServiceContainer> Containers =>
        from workload in Workloads
        let spec = workload.Pod.Spec
        from container in (spec.InitContainers ?? []).Concat(spec.Containers)
        where container.Image.StartsWith(ServiceContainer.ImagePrefix, StringComparison.Ordinal)
        select Describe(workload.Name, spec, container);

    public static IEnumerable<T> Of<T>() where T : IKubernetesObject<V1ObjectMeta> => Objects.OfType<T>();

    /// <summary>The manifests beside a kustomization.</summary>
    public static IEnumerable<string> FilesOf(string folder) =>
        Directory.EnumerateFiles(folder, "*.yaml").Where(file => Path.GetFileName(file) != "kustomization.yaml");

    /// <summary>Where a generator's file is: itself, or the example it is made from.</summary>
    public static string? FindGenerated(string folder, string name) =>
        new[] { name + ".example", name }.Select(file => Path.Combine(folder, file)).FirstOrDefault(File.Exists);

    /// <summary>The keys of the ConfigMaps or Secrets that kustomizations generate, by the object's name.</summary>
    public static ILookup<string, string> GeneratedKeys(string generator) => (
        from folder in Folders
        from entry in DeployFiles.ReadYaml(Path.Combine(folder, "kustomization.yaml"))[generator].Items
        from key in entry["envs"].Items.SelectMany(file => DeployFiles.ReadVariables(FindGenerated(folder, file.Text)!).Keys).Concat(entry["files"].Items.Select(file => file.Text))
        select (Name: entry["name"].Text, Key: key)).ToLookup(pair => pair.Name, pair => pair.Key);

    private static ServiceContainer Describe(string workload, V1PodSpec spec, V1Container container)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var _ in container.EnvFrom ?? [])
        {
            // The one that all have: settings.env.
            foreach (var (name, value) in DeployFiles.ReadVariables(Path.Combine(DeployFiles.Kubernetes, "base", "settings.env")))
            {
                variables[name] = value;
            }
        }
        var helpers = new HashSet<string>(StringComparer.Ordinal);
        foreach (var variable in container.Env ?? [])
        {
            var value = variable.Value ?? (variable.ValueFrom.SecretKeyRef is { } secret ? ServiceContainer.StandInFor(secret.Key)
                : variable.ValueFrom.FieldRef.FieldPath == "status.podIP" ? "10.0.0.7" : workload + "-0");
            // Kubernetes expands what was declared above, and leaves the rest as it stands.
            foreach (var (name, known) in variables.ToList())
            {
                var reference = $"$({name})";
                if (value.Contains(reference, StringComparison.Ordinal))
                {
                    value = value.Replace(reference, known, StringComparison.Ordinal);
                    helpers.Add(name);
                }
            }
            variables[variable.Name] = value;
        }
        var migrates = container.Args?.Contains("migrate") == true;
        return new ServiceContainer(
            $"kubernetes/{workload}{(migrates ? "-migrations" : "")}",
            container.Image[ServiceContainer.ImagePrefix.Length..],
            migrates,
            variables,
            helpers,
            spec.TerminationGracePeriodSeconds ?? 30,
            Convert.ToDouble(container.Lifecycle?.PreStop?.Sleep?.Seconds ?? 0, CultureInfo.InvariantCulture));
    }
}

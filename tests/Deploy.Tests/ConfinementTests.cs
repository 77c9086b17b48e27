using k8s.Models;

namespace Deploy.Tests;

/// <summary>That no container has more rights than it needs.</summary>
public sealed class ConfinementTests
{
    public static TheoryData<string> Workloads => [.. Manifests.Workloads.Select(workload => workload.Name)];

    public static TheoryData<string> Services => [.. Compose.Services.Keys];

    // What Kubernetes' restricted standard demands, a read-only root and bounds.
    [Theory]
    [MemberData(nameof(Workloads))]
    public void Pods_are_restricted(string name)
    {
        var pod = Manifests.Workloads.Single(workload => workload.Name == name).Pod.Spec;
        Assert.False(pod.AutomountServiceAccountToken);
        Assert.False(pod.EnableServiceLinks);
        Assert.True(pod.SecurityContext.RunAsNonRoot);
        Assert.Equal("RuntimeDefault", pod.SecurityContext.SeccompProfile.Type);
        // Volumes are writable for the user alone who runs here.
        Assert.Equal(pod.SecurityContext.RunAsUser, pod.SecurityContext.FsGroup);
        foreach (var container in (pod.InitContainers ?? []).Concat(pod.Containers))
        {
            Assert.False(container.SecurityContext.AllowPrivilegeEscalation);
            Assert.True(container.SecurityContext.ReadOnlyRootFilesystem);
            Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
            Assert.Null(container.SecurityContext.Capabilities.Add);
            foreach (var resource in new[] { "cpu", "memory" })
            {
                Assert.True(container.Resources.Requests[resource].ToDecimal() <= container.Resources.Limits[resource].ToDecimal());
            }
            if (container.Image.StartsWith(ServiceContainer.ImagePrefix, StringComparison.Ordinal))
            {
                Assert.Equal(ImageTests.User, pod.SecurityContext.RunAsUser);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Services))]
    public void Services_of_compose_are_confined(string name)
    {
        var service = Compose.Services[name];
        Assert.Equal("true", service["read_only"].Text);
        Assert.Equal(["ALL"], service["cap_drop"].Names);
        Assert.Contains("no-new-privileges:true", service["security_opt"].Names);
        Assert.False(service["privileged"].Exists);
        // Only what starts as root to give files away has some left.
        Assert.Equal(name is "postgres" or "redis" or "spool-owner", service["cap_add"].Exists);
        Assert.Equal(name == "spool-owner", service["user"].Exists);
    }
}

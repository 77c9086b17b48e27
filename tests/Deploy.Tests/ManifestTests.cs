using k8s.Models;

namespace Deploy.Tests;

/// <summary>That manifests fit one another.</summary>
public sealed class ManifestTests
{
    public static TheoryData<string> Workloads => [.. Manifests.Workloads.Select(workload => workload.Name)];

    [Fact]
    public void Services_lead_to_ports_of_pods()
    {
        Assert.NotEmpty(Manifests.Of<V1Service>());
        foreach (var service in Manifests.Of<V1Service>())
        {
            var pod = Assert.Single(Selected(service.Spec.Selector));
            Assert.All(service.Spec.Ports, port => Assert.Contains(port.TargetPort.Value, PortsOf(pod)));
        }
        // The one that a StatefulSet takes its pods' names from is headless.
        Assert.All(Manifests.Of<V1StatefulSet>(), set => Assert.Equal("None", Manifests.Of<V1Service>().Single(service => service.Name() == set.Spec.ServiceName).Spec.ClusterIP));
    }

    [Fact]
    public void Services_are_where_edges_look_for_them()
    {
        var edge = ServiceContainer.All["kubernetes/edge"].Environment;
        foreach (var name in new[] { "accounts", "continuity" })
        {
            var address = new Uri(edge[$"services__{name}__http__0"]);
            var service = Manifests.Of<V1Service>().Single(service => service.Name() == address.Host);
            Assert.Contains(address.Port, service.Spec.Ports.Select(port => port.Port));
            Assert.Equal(name, service.Spec.Selector["app.kubernetes.io/name"]);
        }
    }

    [Fact]
    public void Policies_and_budgets_are_about_pods_that_there_are()
    {
        foreach (var policy in Manifests.Of<V1NetworkPolicy>())
        {
            var pods = Selected(policy.Spec.PodSelector.MatchLabels).ToList();
            Assert.NotEmpty(pods);
            foreach (var rule in policy.Spec.Ingress ?? [])
            {
                Assert.All(rule.FromProperty ?? [], from => Assert.NotEmpty(Selected(from.PodSelector)));
                Assert.All(rule.Ports, port => Assert.All(pods, pod => Assert.Contains(port.Port.Value, PortsOf(pod))));
            }
        }
        Assert.All(Manifests.Of<V1PodDisruptionBudget>(), budget => Assert.Single(Selected(budget.Spec.Selector.MatchLabels)));
    }

    [Fact]
    public void Only_edges_are_open_to_all()
    {
        // Where several policies select a pod, it is open to what any of them allows.
        var open = from policy in Manifests.Of<V1NetworkPolicy>()
                   where (policy.Spec.Ingress ?? []).Any(rule => rule.FromProperty is not { Count: > 0 })
                   from pod in Selected(policy.Spec.PodSelector.MatchLabels)
                   select pod.Labels()["app.kubernetes.io/name"];
        Assert.Equal(["edge"], open);

        var closed = Manifests.Of<V1NetworkPolicy>().Where(policy => policy.Spec.Ingress is null && policy.Spec.PolicyTypes.Contains("Ingress"));
        Assert.Equal(Manifests.Workloads.Count, closed.SelectMany(policy => Selected(policy.Spec.PodSelector.MatchLabels)).Distinct().Count());

        var (edges, services, stores) = (new[] { "edge" }, new[] { "accounts", "continuity" }, new[] { "postgres", "redis" });
        Assert.All(services, name => Assert.Equal(edges, CallersOf(name)));
        Assert.All(stores, name => Assert.Equal(services, CallersOf(name).Order()));
    }

    [Theory]
    [MemberData(nameof(Workloads))]
    public void Workloads_select_and_spread_their_own_pods(string name)
    {
        var (selector, pod) = Manifests.Of<V1Deployment>().Where(item => item.Name() == name).Select(item => (item.Spec.Selector, item.Spec.Template))
            .Concat(Manifests.Of<V1StatefulSet>().Where(item => item.Name() == name).Select(item => (item.Spec.Selector, item.Spec.Template))).Single();

        Assert.Same(pod, Assert.Single(Selected(selector.MatchLabels)));
        Assert.All(pod.Spec.TopologySpreadConstraints ?? [], spread => Assert.Equal(selector.MatchLabels, spread.LabelSelector.MatchLabels));
    }

    [Theory]
    [MemberData(nameof(Workloads))]
    public void Probes_ask_what_is_there(string name)
    {
        var pod = PodOf(name);
        var container = Assert.Single(pod.Spec.Containers);
        Assert.NotNull(container.ReadinessProbe);
        Assert.NotNull(container.StartupProbe);
        if (!ServiceContainer.All.TryGetValue($"kubernetes/{name}", out var ours))
        {
            return;
        }
        var routes = ConfiguredService.Of(ours).Routes;
        Assert.All([container.StartupProbe, container.ReadinessProbe, container.LivenessProbe], probe =>
        {
            Assert.Contains(probe.HttpGet.Port.Value, PortsOf(pod));
            Assert.Contains(probe.HttpGet.Path, routes);
        });
        Assert.Equal("/health", container.ReadinessProbe.HttpGet.Path);
        Assert.Equal("/alive", container.LivenessProbe.HttpGet.Path);
        // The migrations come first, or the pod would take traffic without its schema.
        Assert.Equal(ours.Service == "edge", pod.Spec.InitContainers is null);
    }

    [Theory]
    [MemberData(nameof(Workloads))]
    public void Mounts_and_volumes_belong_together(string name)
    {
        var pod = PodOf(name);
        var claims = Manifests.Of<V1StatefulSet>().Where(set => set.Name() == name).SelectMany(set => set.Spec.VolumeClaimTemplates ?? []).Select(claim => claim.Name());
        var volumes = (pod.Spec.Volumes ?? []).Select(volume => volume.Name).Concat(claims).Order();
        var mounts = (pod.Spec.InitContainers ?? []).Concat(pod.Spec.Containers).SelectMany(container => container.VolumeMounts);

        Assert.Equal(volumes, mounts.Select(mount => mount.Name).Distinct().Order());
    }

    [Fact]
    public void An_edge_keeps_its_spool_and_the_accounts_service_finds_its_seed()
    {
        var set = Manifests.Of<V1StatefulSet>().Single(set => set.Name() == "edge");
        var spool = set.Spec.Template.Spec.Containers.Single().VolumeMounts.Single(mount => mount.MountPath == ServiceContainer.All["kubernetes/edge"].Environment["Edge__SpoolDirectory"]);
        Assert.Contains(spool.Name, set.Spec.VolumeClaimTemplates.Select(claim => claim.Name()));
        Assert.Equal("Retain", set.Spec.PersistentVolumeClaimRetentionPolicy.WhenScaled);

        var accounts = PodOf("accounts").Spec;
        var seed = accounts.Volumes.Single(volume => volume.Secret is not null);
        var mount = accounts.Containers.Single().VolumeMounts.Single(mount => mount.Name == seed.Name);
        var files = Manifests.GeneratedKeys("secretGenerator")[seed.Secret.SecretName].Select(file => $"{mount.MountPath}/{file}");
        Assert.Contains(ServiceContainer.All["kubernetes/accounts"].Environment["Accounts__SeedFile"], files);
    }

    private static V1PodTemplateSpec PodOf(string workload) => Manifests.Workloads.Single(item => item.Name == workload).Pod;

    private static IEnumerable<V1PodTemplateSpec> Selected(IDictionary<string, string> labels) =>
        Manifests.Workloads.Select(workload => workload.Pod).Where(pod => labels.All(label => pod.Labels().TryGetValue(label.Key, out var value) && value == label.Value));

    private static IEnumerable<V1PodTemplateSpec> Selected(V1LabelSelector selector) => Selected(selector.MatchLabels)
        .Where(pod => (selector.MatchExpressions ?? []).All(term => term.OperatorProperty == "In" && term.Values.Contains(pod.Labels()[term.Key])));

    private static IEnumerable<string> CallersOf(string name) =>
        from policy in Manifests.Of<V1NetworkPolicy>()
        where Selected(policy.Spec.PodSelector.MatchLabels).Any(pod => pod.Labels()["app.kubernetes.io/name"] == name)
        from rule in policy.Spec.Ingress ?? []
        from caller in rule.FromProperty ?? []
        from pod in Selected(caller.PodSelector)
        select pod.Labels()["app.kubernetes.io/name"];

    private static IEnumerable<string> PortsOf(V1PodTemplateSpec pod) => pod.Spec.Containers.SelectMany(container => container.Ports).Select(port => port.Name);
}

using System.Diagnostics.Metrics;
using k8s.Models;

namespace Deploy.Tests;

public sealed class AutoscalerTests
{
    private static readonly V2HorizontalPodAutoscaler Autoscaler = Assert.Single(Manifests.Of<V2HorizontalPodAutoscaler>());

    [Fact]
    public void It_scales_a_workload_that_there_is()
    {
        var target = Autoscaler.Spec.ScaleTargetRef;
        var workload = Assert.Single(Manifests.Objects, item => item.Kind == target.Kind && item.ApiVersion == target.ApiVersion && item.Name() == target.Name);
        Assert.True(Autoscaler.Spec.MinReplicas >= Assert.IsType<V1StatefulSet>(workload).Spec.Replicas);
    }

    [Fact]
    public void It_goes_by_a_metric_that_an_edge_exports()
    {
        var metric = Assert.Single(Autoscaler.Spec.Metrics).Pods.Metric.Name;
        var exported = ConfiguredService.Of(ServiceContainer.All["kubernetes/edge"]).Instruments;

        Assert.Contains(metric, exported.Where(IsLevel).Select(PrometheusNameOf));
        Assert.Contains($"`{metric}`", File.ReadAllText(Path.Combine(DeployFiles.Root, "README.md")), StringComparison.Ordinal);
    }

    // A count that only grows says nothing of how much there is now.
    private static bool IsLevel(Instrument instrument) =>
        instrument.GetType().GetGenericTypeDefinition() is var type
        && (type == typeof(UpDownCounter<>) || type == typeof(ObservableUpDownCounter<>) || type == typeof(Gauge<>) || type == typeof(ObservableGauge<>));

    // OpenTelemetry's rules for Prometheus: dots become underscores, and a unit in braces is no part of the name.
    private static string PrometheusNameOf(Instrument instrument) =>
        instrument.Name.Replace('.', '_') + (instrument.Unit is { Length: > 0 } unit && unit[0] != '{' ? "_" + unit : "");
}

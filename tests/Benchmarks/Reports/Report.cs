namespace Benchmarks.Reports;

/// <summary>All that a run has found.</summary>
internal sealed class Report
{
    private readonly List<Metric> _metrics = [];

    public IReadOnlyList<Metric> Metrics => _metrics;

    /// <summary>Adds a figure.</summary>
    public Metric Add(string scenario, string name, string unit, Comparison? comparison = null)
    {
        var metric = new Metric(scenario, name, unit, comparison);
        _metrics.Add(metric);
        return metric;
    }
}

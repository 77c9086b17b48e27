using Benchmarks.Measuring;

namespace Benchmarks.Reports;

/// <summary>How ours is held against the hop.</summary>
internal enum Comparison
{
    /// <summary>What ours adds.</summary>
    Difference,

    /// <summary>Ours divided by the hop's.</summary>
    Ratio,
}

/// <summary>One figure of a scenario: a value of each target for each round.</summary>
internal sealed class Metric(string scenario, string name, string unit, Comparison? comparison)
{
    private readonly Dictionary<string, List<double>> _values = [];

    public string Scenario => scenario;

    public string Name => name;

    public string Unit => unit;

    public Comparison? Comparison => comparison;

    /// <summary>Adds a round's value.</summary>
    public void Add(string target, double value)
    {
        if (!double.IsFinite(value))
        {
            // Nothing went well in that round, which the outcome tells.
            return;
        }
        if (!_values.TryGetValue(target, out var values))
        {
            _values[target] = values = [];
        }
        values.Add(value);
    }

    /// <summary>The values of a target, round by round.</summary>
    public IReadOnlyList<double> Values(string target) => _values.GetValueOrDefault(target) ?? [];

    /// <summary>A target's quartiles, or null if it was not measured.</summary>
    public Quartiles? Of(string target) => _values.TryGetValue(target, out var values) ? Quartiles.Of(values) : null;

    /// <summary>Ours against the hop, each round by itself: what the machine did meanwhile befell both.</summary>
    public Quartiles? Compared(string ours, string hop) => comparison is null || Values(ours).Count == 0 || Values(hop).Count == 0
        ? null
        : Quartiles.Of(Values(ours).Zip(Values(hop), (own, other) => comparison == Reports.Comparison.Ratio ? own / other : own - other));
}

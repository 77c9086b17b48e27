using Benchmarks.Reports;
using Benchmarks.Targets;

namespace Benchmarks.Scenarios;

/// <summary>One question that a run answers.</summary>
internal interface IScenario
{
    /// <summary>By which it is chosen.</summary>
    string Name { get; }

    /// <summary>Measures, and adds what it has found to the report.</summary>
    Task RunAsync(Stage stage, Settings settings, Report report, CancellationToken cancellationToken);
}

using Benchmarks.Load;
using Benchmarks.Measuring;
using Benchmarks.Reports;
using Benchmarks.Targets;
using Benchmarks.Upstream;

namespace Benchmarks.Scenarios;

/// <summary>Streamed turns, one at a time: the first byte, and the whole of a burst.</summary>
internal sealed class Streams : IScenario
{
    public string Name => "sse";

    public async Task RunAsync(Stage stage, Settings settings, Report report, CancellationToken cancellationToken)
    {
        var first = report.Add(Name, "first byte p50", "ms", Comparison.Difference);
        var whole = report.Add(Name, $"burst of {Answers.BurstDeltas} p50", "ms", Comparison.Difference);
        await Rounds.RunAsync(stage.Targets, settings.Rounds, async target =>
        {
            var samples = (await Clients.RunAsync(1, TimeSpan.FromSeconds(settings.Seconds), (_, more) => Run(target, more), cancellationToken))[0];
            first.Add(target.Name, Quartiles.Share(samples.Select(sample => sample.First), 0.5));
            whole.Add(target.Name, Quartiles.Share(samples.Select(sample => sample.Whole), 0.5));
        }, cancellationToken);
    }

    private static List<(double First, double Whole)> Run(Target target, Func<bool> more)
    {
        using var client = new TurnClient(target);
        var samples = new List<(double, double)>(4096);
        while (more())
        {
            if (client.RunStream(target.Requests.Burst))
            {
                samples.Add((client.FirstByte, client.Whole));
            }
        }
        return samples;
    }
}

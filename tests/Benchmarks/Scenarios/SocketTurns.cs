using Benchmarks.Load;
using Benchmarks.Measuring;
using Benchmarks.Reports;
using Benchmarks.Targets;
using Benchmarks.Upstream;

namespace Benchmarks.Scenarios;

/// <summary>Turns over one WebSocket, one at a time.</summary>
internal sealed class SocketTurns : IScenario
{
    public string Name => "websocket";

    public async Task RunAsync(Stage stage, Settings settings, Report report, CancellationToken cancellationToken)
    {
        var whole = report.Add(Name, $"turn of {Answers.SocketDeltas + 2} events p50", "ms", Comparison.Ratio);
        var front = report.Add(Name, "CPU of the front", "us/turn", Comparison.Ratio);
        await Rounds.RunAsync(stage.Targets, settings.Rounds, async target =>
        {
            var costs = Costs.Begin(target.Processes);
            var samples = (await Clients.RunAsync(1, TimeSpan.FromSeconds(settings.Seconds), (_, more) => Run(target, more), cancellationToken))[0];
            var used = await costs.EndAsync(cancellationToken);
            whole.Add(target.Name, Quartiles.Share(samples, 0.5));
            front.Add(target.Name, used[target.Front.Name].TotalMicroseconds / samples.Count);
        }, cancellationToken);
    }

    private static List<double> Run(Target target, Func<bool> more)
    {
        using var client = new SocketClient(target);
        var samples = new List<double>(4096);
        while (more())
        {
            if (client.Run())
            {
                samples.Add(client.Whole);
            }
        }
        return samples;
    }
}

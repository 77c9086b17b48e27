using Benchmarks.Load;
using Benchmarks.Measuring;
using Benchmarks.Reports;
using Benchmarks.Targets;

namespace Benchmarks.Scenarios;

/// <summary>JSON turns: how long one takes by itself, how many there are in a second, and what they cost.</summary>
internal sealed class JsonTurns : IScenario
{
    private const int Many = 32;

    public string Name => "json";

    public async Task RunAsync(Stage stage, Settings settings, Report report, CancellationToken cancellationToken)
    {
        var duration = TimeSpan.FromSeconds(settings.Seconds);
        var latency = report.Add(Name, "c=1 p50", "ms", Comparison.Difference);
        await Rounds.RunAsync(stage.Targets, settings.Rounds, async target =>
        {
            var samples = await Clients.RunAsync(1, duration, (_, more) => Run(target, more), cancellationToken);
            latency.Add(target.Name, Quartiles.Share(samples[0], 0.5));
        }, cancellationToken);

        var rate = report.Add(Name, $"c={Many}", "turns/s", Comparison.Ratio);
        var slow = report.Add(Name, $"c={Many} p99", "ms", Comparison.Difference);
        var front = report.Add(Name, $"c={Many} CPU of the front", "us/turn", Comparison.Ratio);
        var all = report.Add(Name, $"c={Many} CPU of all processes", "us/turn", Comparison.Ratio);
        var parts = stage.Ours.Processes.ToDictionary(process => process.Name, process => report.Add(Name, $"  of it {process.Name}", "us/turn"));
        await Rounds.RunAsync(stage.Targets, settings.Rounds, async target =>
        {
            var costs = Costs.Begin(target.Processes);
            var began = TimeProvider.System.GetTimestamp();
            var samples = (await Clients.RunAsync(Many, duration, (_, more) => Run(target, more), cancellationToken)).SelectMany(one => one).ToList();
            var elapsed = TimeProvider.System.GetElapsedTime(began);
            var used = await costs.EndAsync(cancellationToken);
            rate.Add(target.Name, samples.Count / elapsed.TotalSeconds);
            slow.Add(target.Name, Quartiles.Share(samples, 0.99));
            front.Add(target.Name, used[target.Front.Name].TotalMicroseconds / samples.Count);
            all.Add(target.Name, used.Values.Sum(one => one.TotalMicroseconds) / samples.Count);
            if (target == stage.Ours)
            {
                foreach (var (name, time) in used)
                {
                    parts[name].Add(target.Name, time.TotalMicroseconds / samples.Count);
                }
            }
        }, cancellationToken);
    }

    private static List<double> Run(Target target, Func<bool> more)
    {
        using var client = new TurnClient(target);
        var samples = new List<double>(16 * 1024);
        while (more())
        {
            if (client.RunJson(target.Requests.Json))
            {
                samples.Add(client.Whole);
            }
        }
        return samples;
    }
}

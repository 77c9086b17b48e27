using Benchmarks.Load;
using Benchmarks.Measuring;
using Benchmarks.Reports;
using Benchmarks.Targets;

namespace Benchmarks.Scenarios;

/// <summary>What it costs to find the owner of an anchor: a turn, and the one that continues it.</summary>
internal sealed class FollowUps : IScenario
{
    public string Name => "followup";

    public async Task RunAsync(Stage stage, Settings settings, Report report, CancellationToken cancellationToken)
    {
        var first = report.Add(Name, "new turn p50", "ms");
        var second = report.Add(Name, "follow-up p50", "ms");
        var added = report.Add(Name, "follow-up minus new", "ms");
        await Rounds.RunAsync([stage.Ours], settings.Rounds, async target =>
        {
            var samples = (await Clients.RunAsync(1, TimeSpan.FromSeconds(settings.Seconds), (_, more) => Run(target, more), cancellationToken))[0];
            var (anew, continued) = (Quartiles.Share(samples.Select(sample => sample.New), 0.5), Quartiles.Share(samples.Select(sample => sample.FollowUp), 0.5));
            first.Add(target.Name, anew);
            second.Add(target.Name, continued);
            added.Add(target.Name, continued - anew);
        }, cancellationToken);
    }

    private static List<(double New, double FollowUp)> Run(Target target, Func<bool> more)
    {
        using var client = new TurnClient(target);
        var samples = new List<(double, double)>(4096);
        while (more())
        {
            if (!client.RunJson(target.Requests.Json))
            {
                continue;
            }
            var anew = client.Whole;
            if (client.RunJson(target.Requests.FollowUp(client.Body)))
            {
                samples.Add((anew, client.Whole));
            }
        }
        return samples;
    }
}

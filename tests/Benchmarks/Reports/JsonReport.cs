using System.Text.Json;
using System.Text.Json.Nodes;
using Benchmarks.Load;
using Benchmarks.Measuring;
using Benchmarks.Targets;

namespace Benchmarks.Reports;

/// <summary>The report for programs.</summary>
internal static class JsonReport
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true };

    public static string Of(Report report, Settings settings, string? commit, double load, Outcome outcome) => new JsonObject
    {
        ["date"] = TimeProvider.System.GetUtcNow().ToString("O"),
        ["commit"] = commit,
        ["cores"] = Environment.ProcessorCount,
        ["loadBefore"] = load,
        ["redis"] = Stage.Redis.ToString(),
        ["settings"] = new JsonObject
        {
            ["quick"] = settings.Quick,
            ["rounds"] = settings.Rounds,
            ["seconds"] = settings.Seconds,
            ["streams"] = settings.Streams,
            ["pairs"] = settings.Pairs,
        },
        ["metrics"] = new JsonArray([.. report.Metrics.Select(Of)]),
        ["turns"] = outcome.Turns,
        ["failedTurns"] = outcome.FailedTurns,
        ["turnsThroughGateway"] = outcome.TurnsThroughGateway,
        ["requestLogRows"] = outcome.RequestLogRows,
    }.ToJsonString(Options);

    private static JsonObject Of(Metric metric)
    {
        var json = new JsonObject { ["scenario"] = metric.Scenario, ["name"] = metric.Name, ["unit"] = metric.Unit };
        foreach (var target in (string[])[Target.Direct, Target.Yarp, Target.Ours])
        {
            if (metric.Of(target) is { } quartiles)
            {
                json[target] = Of(quartiles, metric.Values(target));
            }
        }
        if (metric.Compared(Target.Ours, Target.Yarp) is { } compared)
        {
            json[metric.Comparison == Comparison.Ratio ? "ratioToYarp" : "addedToYarp"] = Of(compared, null);
        }
        return json;
    }

    private static JsonObject Of(Quartiles quartiles, IReadOnlyList<double>? rounds)
    {
        var json = new JsonObject { ["lower"] = quartiles.Lower, ["median"] = quartiles.Median, ["upper"] = quartiles.Upper };
        if (rounds is not null)
        {
            json["rounds"] = new JsonArray([.. rounds.Select(value => (JsonNode)value)]);
        }
        return json;
    }
}

using System.Globalization;
using System.Text;
using Benchmarks.Targets;
using Npgsql;

namespace Benchmarks.Reports;

/// <summary>Whether the figures are those of turns that went well, with the log on.</summary>
internal sealed record Outcome(long Turns, long FailedTurns, long TurnsThroughGateway, long RequestLogRows, string Text)
{
    // A turn that a warm-up after a restart has tried too soon has no row.
    private const double Enough = 0.99;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    /// <summary>True if every turn completed, and nearly each one through the gateway has its row.</summary>
    public bool IsGood => FailedTurns == 0 && RequestLogRows >= TurnsThroughGateway * Enough;

    /// <summary>Looks at a stage after its last turn.</summary>
    public static async Task<Outcome> OfAsync(Stage stage, CancellationToken cancellationToken)
    {
        var ours = stage.Ours.Tally.Turns;
        var rows = await CountRowsAsync(stage, ours, cancellationToken);
        var failures = stage.Targets.SelectMany(target => target.Tally.Failures.Select(failure => (target.Name, Reason: failure.Key, Count: failure.Value))).ToList();
        var text = new StringBuilder();
        var turns = stage.Targets.Sum(target => target.Tally.Turns);
        text.AppendLine(CultureInfo.InvariantCulture, $"{turns} turns, {failures.Sum(failure => failure.Count)} failed; {ours} through the gateway, {rows} rows in its log");
        foreach (var (name, reason, count) in failures)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"FAILED {name} {count} x {reason}");
        }
        return new Outcome(turns, failures.Sum(failure => failure.Count), ours, rows, text.ToString());
    }

    private static async Task<long> CountRowsAsync(Stage stage, long expected, CancellationToken cancellationToken)
    {
        await using var database = NpgsqlDataSource.Create(stage.Gateway.ContinuityDatabase + ";Pooling=false");
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            await using var command = database.CreateCommand("SELECT count(*) FROM request_logs");
            var rows = (long)(await command.ExecuteScalarAsync(cancellationToken))!;
            if (rows >= expected || TimeProvider.System.GetElapsedTime(began) > Limit)
            {
                return rows;
            }
            await Task.Delay(Look, TimeProvider.System, cancellationToken);
        }
    }
}

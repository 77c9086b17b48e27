using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;

namespace Proxy.Edge.Spool;

/// <summary>
/// Ships ended turns from the spool: their rows to the continuity service, their settlement to the accounts service. Neither waits for
/// the other. Both take a turn again without harm, so what is not acknowledged is sent again, if need be by the next process.
/// </summary>
internal sealed partial class SpoolShipper(
    SpoolBacklog backlog, TurnSpool spool, ContinuityClient continuity, AccountsClient accounts, TimeProvider time, ILogger<SpoolShipper> logger) : BackgroundService
{
    // A turn that ends alone pays for two calls and two transactions; those that end within this time share them. Slots wait as long, so it is short.
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LastRound = TimeSpan.FromSeconds(4);

    /// <summary>Ships what is left, as far as the services are there; the rest is found at the next start.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(LastRound);
        try
        {
            await ShipAllAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            LogKept();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (backlog.ReadLeftBehind() is > 0 and var cut)
        {
            LogCut(cut);
        }
        while (true)
        {
            await ShipAllAsync(stoppingToken);
            await spool.WaitAsync(stoppingToken);
            await Task.Delay(Gather, time, stoppingToken);
        }
    }

    private async Task ShipAllAsync(CancellationToken cancellationToken)
    {
        var pause = FirstPause;
        while (true)
        {
            backlog.Read();
            var rows = backlog.Unlogged(ContinuityRoutes.MaxRows);
            var turns = backlog.Unsettled(AccountsRoutes.MaxTurns);
            if (rows.Count == 0 && turns.Count == 0)
            {
                return;
            }
            var logging = LogAsync(rows, cancellationToken);
            var settling = SettleAsync(turns, cancellationToken);
            var (isLogged, isSettled) = (await logging, await settling);
            backlog.RemoveFinished();
            if (isLogged && isSettled)
            {
                pause = FirstPause;
                continue;
            }
            LogPostponed(isLogged ? turns.Count : rows.Count, isLogged ? "accounts" : "continuity");
            await Task.Delay(pause, time, cancellationToken);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    private async Task<bool> LogAsync(IReadOnlyList<EndedTurn> turns, CancellationToken cancellationToken)
    {
        if (turns.Count > 0 && !await continuity.TakeInAsync([.. turns.Select(turn => turn.Row)], cancellationToken))
        {
            return false;
        }
        foreach (var turn in turns)
        {
            turn.IsLogged = true;
        }
        return true;
    }

    private async Task<bool> SettleAsync(IReadOnlyList<EndedTurn> turns, CancellationToken cancellationToken)
    {
        if (turns.Count > 0 && !await accounts.SettleAsync([.. turns.Select(turn => SettlementOf(turn.Row))], cancellationToken))
        {
            return false;
        }
        foreach (var turn in turns)
        {
            turn.IsSettled = true;
        }
        return true;
    }

    private static SettledTurn SettlementOf(RequestLogRow row) => new(
        row.Id, row.ApiKeyId, row.AccountId!, row.Model, row.Status, row.RequestedAt + TimeSpan.FromMilliseconds(row.DurationMs), row.UsageEstimated,
        row.InputTokens ?? 0, row.CachedInputTokens ?? 0, row.OutputTokens ?? 0, row.ReasoningTokens ?? 0, row.TotalTokens ?? 0);

    [LoggerMessage(401, LogLevel.Warning, "{Turns} turns were running when this edge ended last time; they are logged as cut")]
    private partial void LogCut(int turns);

    [LoggerMessage(402, LogLevel.Warning, "{Rows} turns wait in the spool: the {Service} service does not take them")]
    private partial void LogPostponed(int rows, string service);

    [LoggerMessage(403, LogLevel.Warning, "Stopping with turns in the spool; they are shipped at the next start")]
    private partial void LogKept();
}

using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using ServiceDefaults.Hosting;

namespace Proxy.Edge.Spool;

/// <summary>
/// Ships ended turns from the spool: their rows to the continuity service, their settlement to the accounts service. Neither waits for
/// the other. Both take a turn again without harm, so what is not acknowledged is sent again, if need be by the next process.
/// </summary>
internal sealed partial class SpoolShipper(
    TurnSpool spool, LeaseKeeper leases, ContinuityClient continuity, AccountsClient accounts, QuarantinedRows quarantined, TimeProvider time, ILogger<SpoolShipper> logger)
    : BackgroundService
{
    // A turn that ends alone pays for two calls and two transactions; those that end within this time share them. A settlement frees a slot that others may wait for.
    private static readonly TimeSpan GatherRows = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan GatherSettlements = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LastRound = TimeSpan.FromSeconds(4);

    // Well below what a service takes in one body.
    private const int MostBytes = 4 << 20;

    private Destination[] _destinations = [];

    /// <summary>Ships what is left, as far as the services are there; the rest is found at the next start.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(LastRound);
        try
        {
            await Task.WhenAll(_destinations.Select(destination => ShipAsync(destination, bound.Token)));
        }
        catch (OperationCanceledException)
        {
            LogKept();
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SteadyLoop.RunAsync(RunAsync, time, logger, stoppingToken);

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        if (_destinations.Length == 0)
        {
            Begin();
        }
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        Task[] serving = [.. _destinations.Select(destination => ServeAsync(destination, stop.Token))];
        // The first to end has failed, and is not to fail unseen. A backlog has one owner: whoever ships the rest at the stop waits until both are done.
        var first = await Task.WhenAny(serving);
        await stop.CancelAsync();
        await Task.WhenAll(serving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await first;
    }

    // Once only: later, turns that run now would look like turns that were cut.
    private void Begin()
    {
        var cut = spool.FindCut();
        if (cut.Count > 0)
        {
            LogCut(cut.Count);
        }
        _destinations =
        [
            new("continuity", GatherRows, ContinuityRoutes.MaxRows, LogAsync, new SpoolBacklog(spool, cut, concerns: _ => true, isDue: _ => true)),
            // A turn that was never given an account has nothing to settle. One that was is settled only after its slot was given back: upstream
            // may still be at work for a moment after the terminal event, and another turn in that slot would be one too many.
            new("accounts", GatherSettlements, AccountsRoutes.MaxTurns, SettleAsync, new SpoolBacklog(spool, cut, row => row.AccountId is not null, row => !leases.IsHeld(row.Id))),
        ];
    }

    private async Task ServeAsync(Destination destination, CancellationToken cancellationToken)
    {
        while (true)
        {
            await ShipAsync(destination, cancellationToken);
            await destination.Backlog.WaitAsync(cancellationToken);
            await Task.Delay(destination.Gather, time, cancellationToken);
        }
    }

    private async Task ShipAsync(Destination destination, CancellationToken cancellationToken)
    {
        var pause = FirstPause;
        while (destination.Backlog.Next(destination.Most, MostBytes) is { Count: > 0 } turns)
        {
            if (await DeliverAsync(destination, turns, cancellationToken))
            {
                pause = FirstPause;
                continue;
            }
            LogPostponed(turns.Count, destination.Service);
            await Task.Delay(pause, time, cancellationToken);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    /// <summary>Sends turns; false if the service is away. What it refuses is halved until the turn that it means stands alone, and that one is set aside.</summary>
    private async Task<bool> DeliverAsync(Destination destination, IReadOnlyList<EndedTurn> turns, CancellationToken cancellationToken)
    {
        switch (await destination.SendAsync([.. turns.Select(turn => turn.Row)], cancellationToken))
        {
            case Delivery.Taken:
                destination.Backlog.Acknowledge(turns);
                return true;
            case Delivery.Refused when turns.Count == 1:
                quarantined.Add(destination.Service, turns[0].Row);
                destination.Backlog.Acknowledge(turns);
                return true;
            case Delivery.Refused:
                var half = turns.Count / 2;
                return await DeliverAsync(destination, [.. turns.Take(half)], cancellationToken)
                    && await DeliverAsync(destination, [.. turns.Skip(half)], cancellationToken);
            default:
                return false;
        }
    }

    private Task<Delivery> LogAsync(IReadOnlyList<RequestLogRow> rows, CancellationToken cancellationToken) => continuity.IngestAsync(rows, cancellationToken);

    private Task<Delivery> SettleAsync(IReadOnlyList<RequestLogRow> rows, CancellationToken cancellationToken) => accounts.SettleAsync([.. rows.Select(SettlementOf)], cancellationToken);

    private static SettledTurn SettlementOf(RequestLogRow row) => new(
        row.Id, row.ApiKeyId, row.AccountId!, row.Model, row.Status, row.RequestedAt + TimeSpan.FromMilliseconds(row.DurationMs), row.UsageEstimated,
        row.InputTokens ?? 0, row.CachedInputTokens ?? 0, row.OutputTokens ?? 0, row.ReasoningTokens ?? 0, row.TotalTokens ?? 0);

    [LoggerMessage(401, LogLevel.Warning, "{Turns} turns were running when this edge ended last time; they are logged as cut")]
    private partial void LogCut(int turns);

    [LoggerMessage(402, LogLevel.Warning, "{Turns} turns wait in the spool: the {Service} service does not take them")]
    private partial void LogPostponed(int turns, string service);

    [LoggerMessage(403, LogLevel.Warning, "Stopping with turns in the spool; they are shipped at the next start")]
    private partial void LogKept();

    private sealed record Destination(string Service, TimeSpan Gather, int Most, Func<IReadOnlyList<RequestLogRow>, CancellationToken, Task<Delivery>> SendAsync, SpoolBacklog Backlog);
}

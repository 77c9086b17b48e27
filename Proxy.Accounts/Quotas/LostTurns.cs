using System.Text.Json;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Selection;
using ServiceDefaults.Hosting;

namespace Proxy.Accounts.Quotas;

/// <summary>Books turns whose edge has died: their slots are free since their lease ended, here they get their row.</summary>
internal sealed partial class LostTurns(SlotLeases slots, TurnLedger ledger, TimeProvider time, ILogger<LostTurns> logger) : BackgroundService
{
    private const int Batch = 100;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>An edge that restarts sends what its spool holds; it gets this long to do so.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    /// <summary>Books one batch; returns how many turns were lost.</summary>
    public async Task<int> SweepAsync(TimeSpan grace, CancellationToken cancellationToken)
    {
        var lost = new List<SettledTurn>();
        foreach (var (turnId, accountId, reservation) in await slots.FindExpiredAsync(grace, Batch))
        {
            if (accountId is not null && reservation.Length == 0)
            {
                // Prefetched, for a turn that never came.
                await slots.ReleaseAsync([new SlotLease(turnId, accountId)]);
                continue;
            }
            if (accountId is null || JsonSerializer.Deserialize(reservation, ReservationJson.Default.Reservation) is not { } kept)
            {
                await slots.ForgetAsync(turnId);
                continue;
            }
            LogLost(turnId);
            lost.Add(new SettledTurn(turnId, kept.KeyId, accountId, kept.Model, TurnLedger.Lost, time.GetUtcNow(), Estimated: true, 0, 0, 0, 0, 0));
        }
        if (lost.Count > 0)
        {
            // Booked first: once their leases are gone from Redis, nothing remembers them.
            await ledger.BookAsync(lost, cancellationToken);
            await slots.ReleaseAsync(lost.Select(turn => new SlotLease(turn.TurnId, turn.AccountId)));
        }
        return lost.Count;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SteadyLoop.RunAsync(RunAsync, time, logger, stoppingToken);

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await SweepAsync(Grace, stoppingToken);
            }
            catch (Exception exception) when (AdmissionEndpoints.IsStoreAway(exception))
            {
                LogPostponed(exception.GetType().Name);
            }
        }
    }

    [LoggerMessage(320, LogLevel.Warning, "Turn {TurnId} was lost: its lease ended and nobody has settled it")]
    private partial void LogLost(Guid turnId);

    [LoggerMessage(321, LogLevel.Warning, "Booking lost turns is postponed ({Error})")]
    private partial void LogPostponed(string error);
}

using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Pool;
using StackExchange.Redis;

namespace Proxy.Accounts.Selection;

/// <summary>Admits a turn: checks its key, chooses the accounts that will do, and leases a slot of one of them, waiting for it if need be.</summary>
internal sealed partial class Admissions(
    AccountDirectory directory, SlotLeases slots, SlotWaiters waiters, IOptions<AccountsOptions> options, TimeProvider time, ILogger<Admissions> logger)
{
    // Without slots to count from, the caller is told to come back after this long, and after so much more if it would wait for a slot anyway: a Redis that stalls,
    // or is restarted, then costs no turn.
    private static readonly TimeSpan RecoveryBound = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan MoreForRecovery = TimeSpan.FromSeconds(8);
    // Whoever waits looks for itself this often, and may be late.
    private static readonly TimeSpan KnownToWait = SlotWaiters.LookAgain * 3;
    private static readonly TimeSpan RecoveryPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestRecoveryPause = TimeSpan.FromMilliseconds(500);

    /// <summary>The account, with a slot leased where the purpose is a turn; or why there is none.</summary>
    /// <exception cref="Npgsql.NpgsqlException">No account has ever been read and Postgres is away.</exception>
    public async Task<AdmissionResponse> AdmitAsync(AdmissionRequest request, CancellationToken cancellationToken)
    {
        if (request.Purpose == AdmissionPurpose.Request)
        {
            var known = request.RefreshCredential ? await directory.ReadAnewAsync(cancellationToken) : await directory.GetLatestAsync(cancellationToken);
            var (open, refusal) = Candidates.Choose(known, request, time.GetUtcNow());
            return open is null ? new AdmissionResponse(null, refusal) : Grant(open.PickWithoutSlot(time.GetUtcNow()));
        }
        SlotWaiters.Place? place = null;
        try
        {
            var began = time.GetTimestamp();
            (TimeSpan Since, TimeSpan Bound)? outage = null;
            var pause = RecoveryPause;
            var snapshot = request.RefreshCredential ? await directory.ReadAnewAsync(cancellationToken) : await directory.GetAsync(cancellationToken);
            while (true)
            {
                var (chosen, refusal) = Candidates.Choose(snapshot, request, time.GetUtcNow());
                if (chosen is null)
                {
                    // Nothing is leased, so nothing has compared the version yet: what was refused may have changed.
                    var latest = await directory.GetLatestAsync(cancellationToken);
                    if (ReferenceEquals(latest, snapshot))
                    {
                        return new AdmissionResponse(null, refusal);
                    }
                    snapshot = latest;
                    continue;
                }
                var candidates = chosen.RotatedBy(request.TurnId);
                // A newcomer does not overtake those who wait; what it holds already, being asked again, it keeps.
                var onlyIfHeld = place is null && waiters.AnyoneWants(request.KeyId, candidates.Accounts);
                var waitingKey = new WaitingKey(request.KeyId, WaitMs: request.WaitMs > 0 ? (int)KnownToWait.TotalMilliseconds : 0, waiters.MoreWait(request.KeyId, place));
                var asked = time.GetElapsedTime(began);
                var (outcome, index) = await TryLeaseAsync(request, candidates, snapshot.Version, waitingKey, onlyIfHeld);
                var waited = time.GetElapsedTime(began);
                var left = TimeSpan.FromMilliseconds(request.WaitMs) - waited;
                outage = outcome != LeaseOutcome.Recovering ? null : outage ?? (asked, RecoveryBound + Min(Max(left, TimeSpan.Zero), MoreForRecovery));
                switch (outcome)
                {
                    case LeaseOutcome.Granted when cancellationToken.IsCancellationRequested:
                        // Whoever asked is gone, and its word that it gives the slot back may have come before the slot was leased.
                        waiters.Freed(await slots.ReleaseAsync([new SlotLease(request.TurnId, candidates.Accounts[index].Key)]));
                        throw new OperationCanceledException(cancellationToken);
                    case LeaseOutcome.Granted:
                        if (request.MovesFrom is { } former && former != candidates.Accounts[index].Key)
                        {
                            waiters.Freed([former]);
                        }
                        return Grant(candidates.Accounts[index]);
                    case LeaseOutcome.Stale:
                        snapshot = await directory.ReloadAsync(snapshot, cancellationToken);
                        break;
                    case LeaseOutcome.Recovering when waited - outage!.Value.Since >= outage.Value.Bound:
                        return Refuse(RefusalReason.Recovering);
                    case LeaseOutcome.Recovering:
                        await Task.Delay(Min(pause, outage.Value.Bound - (waited - outage.Value.Since)), time, cancellationToken);
                        pause = Min(pause * 2, LongestRecoveryPause);
                        break;
                    case LeaseOutcome.Full when left <= TimeSpan.Zero || place?.IsLost == true || (place ??= waiters.TryJoin(request.KeyId, candidates.Accounts)) is null:
                        return Refuse(RefusalReason.AtCapacity);
                    default:
                        await place!.WaitAsync(candidates.Accounts, left, cancellationToken);
                        snapshot = await directory.GetAsync(cancellationToken);
                        break;
                }
            }
        }
        finally
        {
            place?.Dispose();
        }
    }

    private async Task<(LeaseOutcome Outcome, int Index)> TryLeaseAsync(AdmissionRequest request, Candidates candidates, string version, WaitingKey waitingKey, bool onlyIfHeld)
    {
        try
        {
            var reservation = JsonSerializer.Serialize(new Reservation(request.KeyId, request.Model), ReservationJson.Default.Reservation);
            return await slots.LeaseAsync(request.TurnId, candidates, version, reservation, waitingKey, onlyIfHeld, request.MovesFrom);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            LogRedisAway(exception.GetType().Name);
            return (LeaseOutcome.Recovering, -1);
        }
    }

    private AdmissionResponse Grant(Account account) => new(account.Admit(options.Value.LeaseSeconds, time.GetUtcNow()), null);

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private AdmissionResponse Refuse(RefusalReason reason) => new(null, new AdmissionRefusal(reason, time.GetUtcNow() + TimeSpan.FromSeconds(1)));

    [LoggerMessage(310, LogLevel.Warning, "Slots cannot be counted: Redis is away ({Error})")]
    private partial void LogRedisAway(string error);
}

/// <summary>What a turn that is never settled is booked as.</summary>
internal sealed record Reservation(string KeyId, string? Model);

[JsonSerializable(typeof(Reservation))]
internal sealed partial class ReservationJson : JsonSerializerContext;

/// <summary>From an account to what the edge may know of it.</summary>
internal static class Admitted
{
    public static AdmittedAccount Admit(this Account account, int leaseSeconds, DateTimeOffset now) => new(
        account.Key, account.Name, account.BaseUrl, account.Domain, account.SpeaksWebSocketsAt(now), account.Lanes, account.CredentialKind, account.Credential.Reveal(), leaseSeconds);
}

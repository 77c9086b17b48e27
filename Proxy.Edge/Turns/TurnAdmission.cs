using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;

namespace Proxy.Edge.Turns;

/// <summary>Step 4 of a turn: leases a slot of an account that may serve it.</summary>
internal sealed class TurnAdmission(
    AccountsClient accounts, SlotPrefetcher prefetcher, LeaseKeeper leases, TurnJournal journal, IOptions<EdgeOptions> options, IOptions<RecoveryOptions> recovery, TimeProvider time)
{
    // Two turns that wait for each other's slots wait in vain; and the client waits already.
    private static readonly TimeSpan MoveWait = TimeSpan.FromSeconds(5);

    /// <summary>On success, which is null, the turn holds a slot and is journaled.</summary>
    /// <param name="currentAccountId">The account on whose socket the conversation is already: preferred where nothing is demanded.</param>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    public Task<RecoverySignal?> AdmitAsync(Turn turn, string? currentAccountId, TurnDeadline deadline) => LeaseAsync(turn, RequestFor(turn) with
    {
        PreferredAccountId = turn.Route.Domain is null ? currentAccountId ?? turn.Route.PreferredAccountId : turn.Route.PreferredAccountId,
    }, waitsForLimits: true, deadline);

    /// <summary>Moves the turn's slot to where it is to be sent once more; null on success.</summary>
    /// <param name="failedAccountId">The account that is not to have it again.</param>
    /// <param name="dropsReasoning">It is sent once more without what another organisation has encrypted.</param>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    public Task<RecoverySignal?> ReadmitAsync(Turn turn, string? failedAccountId, bool refreshesCredential, bool dropsReasoning, TurnDeadline deadline) => LeaseAsync(turn, RequestFor(turn) with
    {
        PreferredAccountId = failedAccountId is null ? turn.Account?.Id : turn.Route.PreferredAccountId,
        OnlyAccountId = refreshesCredential ? turn.Account?.Id : null,
        WaitMs = (int)MoveWait.TotalMilliseconds,
        ExcludedAccountIds = failedAccountId is null ? turn.ExcludedAccountIds : turn.ExcludedAccountIds.Add(failedAccountId),
        RefreshCredential = refreshesCredential,
    }, waitsForLimits: failedAccountId is null && !refreshesCredential, deadline, dropsReasoning);

    /// <summary>
    /// Counts a turn that upstream has begun by itself against the account's slots. It runs already: where there is no slot, or nobody to ask, it runs without one.
    /// </summary>
    public async Task JoinAsync(Turn turn, TurnDeadline deadline)
    {
        try
        {
            var response = await AskAsync(turn, RequestFor(turn) with { Domain = null, OnlyAccountId = turn.Account!.Id, MovesFrom = null, WaitMs = 0 }, deadline.Token);
            if (response?.Account is { } account && !turn.HasEnded)
            {
                deadline.Watch(leases.Hold(turn.Id, account.Id));
            }
            else if (response?.Account is not null)
            {
                await accounts.AbandonAsync(turn.Id);
            }
        }
        catch (OperationCanceledException)
        {
            // The turn has ended first, and the slot was given back.
        }
    }

    // It can be read elsewhere only; without its reasoning a conversation goes on.
    private bool MustDropReasoning(AdmittedAccount account, Turn turn) =>
        recovery.Value.MayDropReasoning(turn.Request) && turn.Resolution.EncryptedIn is { } readable && readable != account.Domain;

    private AdmissionRequest RequestFor(Turn turn) => new(
        turn.Id, AdmissionPurpose.Turn, turn.Caller.KeyId, turn.Request.Model, turn.Route.Domain, turn.Route.PreferredAccountId, turn.ExcludedAccountIds,
        NeedsWebSockets: turn.Surface == Surfaces.WebSocket, options.Value.AdmissionWaitSeconds * 1000,
        // An id that lives on a socket is of no use on the domain's other accounts.
        OnlyAccountId: turn.Route.Anchor == Anchor.Local ? turn.Route.PreferredAccountId : null, MovesFrom: turn.Account?.Id, NeedsModel: true);

    private async Task<RecoverySignal?> LeaseAsync(Turn turn, AdmissionRequest request, bool waitsForLimits, TurnDeadline deadline, bool dropsReasoning = false)
    {
        var (began, bound) = (time.GetTimestamp(), TimeSpan.FromMilliseconds(request.WaitMs));
        var response = TakePrefetched(turn, request);
        var isPrefetched = response is not null;
        while (response is null)
        {
            var left = bound - time.GetElapsedTime(began);
            left = left < TimeSpan.Zero ? TimeSpan.Zero : left < deadline.TimeLeft ? left : deadline.TimeLeft;
            response = await AskAsync(turn, request with { WaitMs = (int)left.TotalMilliseconds }, deadline.Token);
            if (!waitsForLimits || Refusals.WaitOf(response?.Refusal, left, time.GetUtcNow()) is not { } wait)
            {
                break;
            }
            await Task.Delay(wait, time, deadline.Token);
            response = null;
        }
        if (response?.Account is not { } account)
        {
            return new RecoverySignal(SignalKind.Refused, Refusal: response?.Refusal);
        }
        var isMoved = turn.Account?.Id != account.Id;
        turn.Admit(new Admitted(account, dropsReasoning || turn.Admitted is { DropsReasoning: true } || MustDropReasoning(account, turn)));
        deadline.Watch(leases.Hold(turn.Id, account.Id));
        if (isPrefetched)
        {
            prefetcher.MarkStarted(new StartedTurn(turn.Id, account.Id, turn.Caller.KeyId, turn.Request.Model));
        }
        try
        {
            if (isMoved)
            {
                journal.Begin(turn);
            }
            return null;
        }
        catch (IOException)
        {
            return new RecoverySignal(SignalKind.SpoolFull);
        }
    }

    private AdmissionResponse? TakePrefetched(Turn turn, AdmissionRequest request)
    {
        if (turn.IsIdPinned || prefetcher.TryTake(request) is not { } slot)
        {
            return null;
        }
        turn.AdoptId(slot.TurnId);
        return new AdmissionResponse(slot.Account, null);
    }

    private async Task<AdmissionResponse?> AskAsync(Turn turn, AdmissionRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var response = await prefetcher.MakeRoomForAsync(request, accounts.AdmitAsync(request, cancellationToken), cancellationToken);
            if (response is null)
            {
                leases.Abandon(request.TurnId);
            }
            return response;
        }
        catch (OperationCanceledException)
        {
            // The slot may have been leased meanwhile, and nobody else would give it back before its lease ends.
            await accounts.AbandonAsync(request.TurnId);
            throw;
        }
    }
}

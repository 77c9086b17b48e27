using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using ServiceDefaults.Http;
using ServiceDefaults.Telemetry;

namespace Proxy.Edge.Turns;

/// <summary>Steps 2 and 3 of a turn: find the owner of what it names, then lease a slot of an account that may serve it.</summary>
internal sealed partial class TurnAdmission(
    OwnerDirectory owners, AccountsClient accounts, SlotPrefetcher prefetcher, LeaseKeeper leases, TurnJournal journal, TurnTelemetry telemetry, IOptions<EdgeOptions> options, IOptions<RecoveryOptions> recovery, IOptions<ContinuityOptions> continuity,
    TimeProvider time, ILogger<TurnAdmission> logger)
{
    // Two turns that wait for each other's slots wait in vain; and the client waits already.
    private static readonly TimeSpan MoveWait = TimeSpan.FromSeconds(5);

    // No account is of this domain: a turn state of another key goes nowhere.
    private const string ForeignDomain = "";

    /// <summary>Step 2: finds where the turn must or would rather go; both are null when that is known.</summary>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    public async Task<(ApiError? Error, RecoverySignal? Signal)> ResolveAsync(Turn turn, TurnDeadline deadline)
    {
        turn.Activity = telemetry.Begin(turn);
        if (journal.IsFull)
        {
            return (null, new RecoverySignal(SignalKind.SpoolFull));
        }
        var (route, error) = await ResolveAsync(turn, OwnerRoute.DemandsOf(turn.Request), deadline.Token);
        if (route is null)
        {
            return error is null ? (null, new RecoverySignal(SignalKind.LookupFailed)) : (error, null);
        }
        return (null, null);
    }

    /// <summary>Step 3; on success the turn holds a slot and is journaled.</summary>
    /// <param name="currentAccountId">The account on whose socket the conversation is already: preferred where nothing is demanded.</param>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    public Task<RecoverySignal?> AdmitAsync(Turn turn, string? currentAccountId, TurnDeadline deadline) => LeaseAsync(turn, RequestFor(turn) with
    {
        PreferredAccountId = turn.Route.Domain is null ? currentAccountId ?? turn.Route.PreferredAccountId : turn.Route.PreferredAccountId,
    }, waitsForLimits: true, deadline);

    /// <summary>Moves the turn's slot to where it is to be sent once more; null on success.</summary>
    /// <param name="failedAccountId">The account that is not to have it again.</param>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    public Task<RecoverySignal?> ReadmitAsync(Turn turn, string? failedAccountId, bool refreshesCredential, TurnDeadline deadline) => LeaseAsync(turn, RequestFor(turn) with
    {
        PreferredAccountId = failedAccountId is null ? turn.Account?.Id : turn.Route.PreferredAccountId,
        OnlyAccountId = refreshesCredential ? turn.Account?.Id : null,
        WaitMs = (int)MoveWait.TotalMilliseconds,
        ExcludedAccountIds = failedAccountId is null ? turn.ExcludedAccountIds : turn.ExcludedAccountIds.Add(failedAccountId),
        RefreshCredential = refreshesCredential,
    }, waitsForLimits: failedAccountId is null && !refreshesCredential, deadline);

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

    /// <summary>Where a request that names these ids has to go; neither a route nor an error if that could not be looked up.</summary>
    public async Task<(OwnerRoute? Route, ApiError? Error)> ResolveAsync(Turn turn, IReadOnlyList<OwnedId> demands, CancellationToken cancellationToken)
    {
        if (demands.Count == 0 && turn.Scope.Key is null && !turn.Request.HasEncryptedContent)
        {
            return (turn.Route, null);
        }
        // Of one that is longer than any id nobody knows anything.
        var states = turn.Scope.TurnState is { Length: <= OwnedId.MaxLength } turnState ? new OwnedId[] { new(OwnedKinds.TurnState, turnState) } : [];
        OwnedId[] asked = [.. demands, .. states, .. turn.Request.Encrypted];
        var resolved = await owners.ResolveAsync(turn.Caller.KeyId, turn.Scope, asked, cancellationToken);
        if (resolved is null)
        {
            telemetry.CountResolution(turn, "none", "fail_closed");
            LogResolution(LogLevel.Warning, turn.Surface, "none", "fail_closed", LoggedId.Of(turn.Request.PreviousResponseId), LoggedId.Of(turn.Scope.SessionId));
            return (null, null);
        }
        var state = states.Length > 0 ? resolved.Owners[demands.Count] : null;
        var encrypted = resolved.Owners.Skip(demands.Count + states.Length).FirstOrDefault(owner => owner.Owner is not null)?.Owner;
        var (route, error) = OwnerRoute.Choose([.. resolved.Owners.Take(demands.Count)], encrypted?.AccountId ?? state?.Owner?.AccountId ?? resolved.ScopeAccountId);
        if (route is null)
        {
            telemetry.CountResolution(turn, "none", "foreign");
            return (null, error);
        }
        // Of an anchor the publication may be late; in its own conversation it goes on where that was.
        var isLate = route.Unknown is { Kind: OwnedKinds.Response } && resolved.ScopeAccountId is not null;
        if (route.Unknown is { } unknown && !isLate && continuity.Value.UnknownIds == UnknownIds.Refuse)
        {
            // It may be anybody's. Where there is nobody else, the account is asked.
            var open = await accounts.ListOpenAsync(turn.Caller.KeyId, cancellationToken);
            if (open?.SoleKey != true)
            {
                telemetry.CountResolution(turn, "none", open is null ? "fail_closed" : "unknown");
                return (null, open is null ? null : Errors.NotFound(unknown));
            }
        }
        turn.TurnStateSession = state?.Owner?.Session;
        turn.TurnStateDomain = state is { Outcome: OwnerOutcome.Foreign } ? ForeignDomain : state?.Owner?.Domain;
        turn.EncryptedIn = turn.Request.HasEncryptedContent ? route.Domain ?? encrypted?.Domain ?? turn.TurnStateDomain ?? resolved.ScopeDomain : null;
        route = route with { IsGuess = route.IsGuess || (turn.Request.HasEncryptedContent && route.Domain is null && encrypted is null) };
        if (route.Domain is null && turn.EncryptedIn is { } readable && !MayDropReasoning(turn))
        {
            route = route with { Domain = readable, OnlyEncrypted = true };
        }
        turn.Route = route;
        telemetry.Resolved(turn, route);
        if (route.Source == "postgres")
        {
            // Worth a line: Redis has lost it.
            LogResolution(LogLevel.Information, turn.Surface, route.Source, "hit", LoggedId.Of(turn.Request.PreviousResponseId), LoggedId.Of(turn.Scope.SessionId));
        }
        return (route, null);
    }

    // Without its reasoning a conversation goes on; without its compacted history it does not.
    private bool MayDropReasoning(Turn turn) => recovery.Value.DropForeignReasoning && !turn.Request.HasCompaction;

    private AdmissionRequest RequestFor(Turn turn) => new(
        turn.Id, AdmissionPurpose.Turn, turn.Caller.KeyId, turn.Request.Model, turn.Route.Domain, turn.Route.PreferredAccountId, turn.ExcludedAccountIds,
        NeedsWebSockets: turn.Surface == Surfaces.WebSocket, options.Value.AdmissionWaitSeconds * 1000,
        // An id that lives on a socket is of no use on the domain's other accounts.
        OnlyAccountId: turn.Route.Anchor == Anchor.Local ? turn.Route.PreferredAccountId : null, MovesFrom: turn.Account?.Id, NeedsModel: true);

    private async Task<RecoverySignal?> LeaseAsync(Turn turn, AdmissionRequest request, bool waitsForLimits, TurnDeadline deadline)
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
        turn.Account = account;
        turn.DropsReasoning |= MayDropReasoning(turn) && turn.EncryptedIn is { } readable && readable != account.Domain;
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

    [LoggerMessage(EventId = 442, Message = "continuity_owner_resolution surface={Surface} source={Source} outcome={Outcome} previous_response_id={PreviousResponseId} session_id={SessionId}")]
    private partial void LogResolution(LogLevel level, string surface, string source, string outcome, string previousResponseId, string sessionId);

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

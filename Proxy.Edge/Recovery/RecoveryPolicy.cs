using Proxy.Accounts.Contracts;
using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Recovery;

/// <summary>
/// All recovery, on every surface: from the facts of a turn and what has happened to it to what is done about it. No I/O, no clock.
/// The rules are numbered as in docs/recovery.md, whose table is made from this code.
/// </summary>
internal static class RecoveryPolicy
{
    private static readonly TimeSpan OverloadPause = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(20);

    /// <param name="now">For reset times that upstream tells as a duration.</param>
    public static RecoveryDecision Decide(in TurnFacts facts, RecoverySignal signal, RecoverySettings settings, DateTimeOffset now)
    {
        var decision = DecideForeground(facts, signal, settings, now);
        // Rule 11a: a response in the background has no end of ours.
        return facts is { IsBackground: true, Phase: >= TurnPhase.Created } && decision is { Action: RecoveryAction.Answer or RecoveryAction.Mask or RecoveryAction.Canonical }
            ? new RecoveryDecision(RecoveryAction.RunsOn, $"{decision.Reason}_runs_on", Errors.RunsOn)
            : decision;
    }

    private static RecoveryDecision DecideForeground(in TurnFacts facts, RecoverySignal signal, RecoverySettings settings, DateTimeOffset now) => signal.Kind switch
    {
        SignalKind.Rejected => Rejected(facts, signal.Error!, settings, now),
        SignalKind.NoResponse when facts.CanReplay => new RecoveryDecision(RecoveryAction.ReplayElsewhere, "no_response"),
        SignalKind.NoResponse => Answer("no_response", Errors.NoResponse),
        SignalKind.Unreachable => Unreachable(facts, signal.Error),
        SignalKind.NoWebSocket => NoWebSocket(facts, signal.Error),
        SignalKind.NotWritten => NotWritten(facts, settings),
        SignalKind.Broken when !facts.OverWebSocket => BrokenHttp(facts, signal is { IsUnanswered: true, CloseCode: null }, settings),
        SignalKind.Broken => Broken(facts, signal.CloseCode, settings),
        SignalKind.NotCreated => NotCreated(facts, settings),
        SignalKind.AnchorGone => DeadAnchor(facts, settings, "anchor_gone"),
        SignalKind.Refused => Refused(facts, signal, settings, now),
        SignalKind.SessionLost => Answer("session_lost", Errors.SessionLost),
        SignalKind.SessionUnknown => Answer("session_lookup_failed", Errors.SessionLookupFailed),
        SignalKind.NoSessionSocket when MayLeaveTheSocket(facts) => new RecoveryDecision(RecoveryAction.OverHttp, "sessions_busy"),
        SignalKind.NoSessionSocket or SignalKind.SessionsBusy => Answer("sessions_busy", Errors.SessionsBusy),
        SignalKind.LookupFailed => Answer("owner_lookup_failed", Errors.OwnerLookupFailed),
        // Rule 12: none of these says anything about the account.
        SignalKind.Idle => Answer("idle", Errors.StreamIdle),
        SignalKind.Deadline => Answer("deadline", Errors.UpstreamTimeout),
        SignalKind.EventTooLarge => Answer("event_too_large", Errors.EventTooLarge),
        SignalKind.LeaseLost => Answer("lease_lost", Errors.LeaseLost),
        // Sent again it would be a second one, beside the first.
        SignalKind.Draining when facts is { IsBackground: true, Phase: TurnPhase.Sent } => Answer("draining", Errors.UpstreamFailedAfterSend),
        SignalKind.Draining => Answer("draining", Errors.ShuttingDown),
        SignalKind.KeyEnded => Answer("key_ended", Errors.KeyEnded),
        SignalKind.SpoolFull => Answer("spool_full", Errors.SpoolFull),
        SignalKind.ClientLeft => new RecoveryDecision(RecoveryAction.Abandon, "client_left", Errors.ClientLeft),
        SignalKind.Fault => Answer("fault", Errors.InternalFault),
        _ => throw new ArgumentOutOfRangeException(nameof(signal), signal.Kind, "Unknown signal."),
    };

    // Upstream has refused the turn in so many words: it has not run it, so it may be sent once more (rule 6).
    private static RecoveryDecision Rejected(in TurnFacts facts, UpstreamError error, RecoverySettings settings, DateTimeOffset now)
    {
        var reason = error.Reason;
        return error.Kind switch
        {
            // Rule 8. Upstream keeps the latest ids of a socket only, so for a stored one another socket may know better.
            UpstreamErrorKind.PreviousResponseNotFound when facts.Anchor != Anchor.None =>
                facts is { CanReplay: true, OverWebSocket: true }
                    ? new RecoveryDecision(RecoveryAction.ReplayHere, reason)
                    : DeadAnchor(facts, settings, reason),
            // Passed on, the client would throw its own key away.
            UpstreamErrorKind.Authentication => facts switch
            {
                // A socket keeps the credential it was opened with.
                { Phase: < TurnPhase.Created, Anchor: Anchor.Local } => DeadAnchor(facts, settings, reason),
                { CanReplay: true, CredentialRefreshed: false } => new RecoveryDecision(RecoveryAction.RefreshCredential, reason),
                { CanReplay: true } => new RecoveryDecision(RecoveryAction.ReplayElsewhere, reason),
                _ => Answer(reason, Errors.UpstreamRefusedCredential),
            },
            UpstreamErrorKind.Quota or UpstreamErrorKind.RateLimit when facts.Phase < TurnPhase.Created && facts.Anchor == Anchor.Local => OwnerAway(facts, error.ResetAfter(now), settings, now),
            UpstreamErrorKind.Quota or UpstreamErrorKind.RateLimit when facts.CanReplay => new RecoveryDecision(RecoveryAction.ReplayElsewhere, reason),
            UpstreamErrorKind.Quota or UpstreamErrorKind.RateLimit when facts is { Phase: < TurnPhase.Created, HasDomain: true, OnlyEncrypted: false } => OwnerAway(facts, error.ResetAfter(now), settings, now),
            // After an error upstream lets go of an anchor that lives on the socket: sent once more, it would not be found.
            UpstreamErrorKind.Overload when facts is { Phase: < TurnPhase.Created, Anchor: Anchor.Local } =>
                facts.IsNativeCodex ? DeadAnchor(facts, settings, reason) : new RecoveryDecision(RecoveryAction.Surface, reason),
            // Whoever is busy, another account may not be; what binds a turn to one keeps it there.
            UpstreamErrorKind.Overload when facts is { CanReplay: true, HasDomain: false, IsFollowUp: false } => new RecoveryDecision(RecoveryAction.ReplayElsewhere, reason),
            UpstreamErrorKind.Overload when WaitFor(facts, error, null, settings, now) is { } pause => new RecoveryDecision(RecoveryAction.ReplayHere, reason, Wait: pause),
            // Upstream lets go of the socket: for an anchor that lives on it that is the end.
            UpstreamErrorKind.ConnectionLimit when facts.Anchor == Anchor.Local => DeadAnchor(facts, settings, reason),
            UpstreamErrorKind.ConnectionLimit when facts.CanReplay => new RecoveryDecision(RecoveryAction.ReplayHere, reason),
            // Rule 8a. Where it is at home was a guess.
            UpstreamErrorKind.ForeignEncryption when facts.MayTryElsewhere && (facts.HasCompaction || !settings.DropForeignReasoning) => new RecoveryDecision(RecoveryAction.TryElsewhere, reason),
            UpstreamErrorKind.Other when facts.MayTryElsewhere && error.SaysNotFound => new RecoveryDecision(RecoveryAction.TryElsewhere, "not_found"),
            UpstreamErrorKind.ForeignEncryption when facts.CanReplay && settings.DropForeignReasoning => new RecoveryDecision(RecoveryAction.DropReasoning, reason),
            // Rule 7: whatever else it is, is the client's to read.
            _ => new RecoveryDecision(RecoveryAction.Surface, reason),
        };
    }

    // Rule 6a. Nobody else is there, and the account itself is back soon: how long to wait for it, or null where the client is to be told.
    private static TimeSpan? WaitFor(in TurnFacts facts, UpstreamError error, DateTimeOffset? others, RecoverySettings settings, DateTimeOffset now)
    {
        var (wait, longest) = error.Kind switch
        {
            UpstreamErrorKind.Overload => (error.RetryAfter ?? OverloadPause, LongestPause),
            UpstreamErrorKind.Quota or UpstreamErrorKind.RateLimit => (Earliest(others, error.ToldReset(now)) - now, settings.LimitWait),
            _ => (null, default),
        };
        return facts.CanReplay && wait > TimeSpan.Zero && wait <= longest && wait < facts.TimeLeft ? wait : null;
    }

    private static RecoveryDecision NoWebSocket(in TurnFacts facts, UpstreamError? refusal) =>
        MayLeaveTheSocket(facts)
            ? new RecoveryDecision(RecoveryAction.OverHttp, "websocket_refused")
            : Unreachable(facts, refusal);

    // The gateway has put it there, and what upstream stores can be continued from anywhere.
    private static bool MayLeaveTheSocket(in TurnFacts facts) => facts is { MayGoOverHttp: true, Phase: < TurnPhase.Created } && facts.Anchor != Anchor.Local;

    private static RecoveryDecision Unreachable(in TurnFacts facts, UpstreamError? error) =>
        facts.CanReplay
            ? new RecoveryDecision(RecoveryAction.ReplayElsewhere, "unreachable")
            : Unserved(facts, error);

    private static RecoveryDecision NotWritten(in TurnFacts facts, RecoverySettings settings) =>
        facts.Anchor == Anchor.Local ? DeadAnchor(facts, settings, "anchor_gone")
        : facts.CanReplay ? new RecoveryDecision(RecoveryAction.ReplayHere, "unsent")
        : Unserved(facts, null);

    // Rules 3, 4 and 5. Nobody knows whether upstream has begun to run it.
    private static RecoveryDecision Broken(in TurnFacts facts, int? closeCode, RecoverySettings settings)
    {
        // RFC 6455 section 7.4.1: of the frame upstream says that it is wrong, or too big. It would say so again.
        var isVerdict = closeCode is 1002 or 1003 or 1007 or 1008 or 1009;
        if (closeCode == 1009 && facts is { MayGoOverHttp: true, CanReplay: true, Phase: < TurnPhase.Created, IsAlone: true })
        {
            // Bodies may be larger than frames.
            return new RecoveryDecision(RecoveryAction.OverHttp, "frame_too_large");
        }
        if (isVerdict && facts is { Phase: < TurnPhase.Created, IsAlone: true })
        {
            return Answer("frame_refused", closeCode == 1009 ? Errors.FrameTooLarge : Cut(facts, closeCode));
        }
        return !isVerdict && MayRunTwice(facts, settings) ? new RecoveryDecision(RecoveryAction.ReplayHere, "ambiguous") : Answer("cut", Cut(facts, closeCode));
    }

    // SDKs would send it again themselves; once that is done, they are told not to.
    private static RecoveryDecision BrokenHttp(in TurnFacts facts, bool isUnanswered, RecoverySettings settings) =>
        isUnanswered && facts.Phase < TurnPhase.Created && MayRunTwice(facts, settings) ? new RecoveryDecision(RecoveryAction.ReplayHere, "ambiguous")
        : Answer("cut", facts.Phase < TurnPhase.Created ? Errors.UpstreamFailedAfterSend : Errors.StreamCut);

    // Over HTTP clients send again by themselves what they are not told to keep: upstream may have run it.
    private static ApiError Cut(in TurnFacts facts, int? closeCode) =>
        facts.OnSession ? Errors.SocketCut(closeCode) with { ShouldRetry = false } : Errors.SocketCut(closeCode);

    private static RecoveryDecision NotCreated(in TurnFacts facts, RecoverySettings settings) =>
        facts.OverWebSocket && MayRunTwice(facts, settings)
            ? new RecoveryDecision(RecoveryAction.ReplayHere, "ambiguous")
            : Answer("not_created", Errors.UpstreamTimeout);

    private static bool MayRunTwice(in TurnFacts facts, RecoverySettings settings) =>
        facts is { CanReplay: true, IsFollowUp: false, IsAlone: true } && (facts.IsPrewarm || settings.ReplayAfterClose == ReplayAfterClose.Precreated);

    // Rule 9, and what there is to say when nobody is there to send the turn to once more.
    private static RecoveryDecision Refused(in TurnFacts facts, RecoverySignal signal, RecoverySettings settings, DateTimeOffset now)
    {
        var (refusal, first) = (signal.Refusal, signal.First);
        if (first is { Kind: SignalKind.Rejected, Error: { } rejection } && facts.IsGuess && (rejection.Kind == UpstreamErrorKind.ForeignEncryption || rejection.SaysNotFound))
        {
            // Nobody is left who could be asked.
            return new RecoveryDecision(RecoveryAction.Surface, rejection.Reason);
        }
        if (first is { Kind: SignalKind.Rejected, Error: { } error }
            && refusal?.Reason is RefusalReason.NoOther or RefusalReason.AllCooling or RefusalReason.OwnerCooling or RefusalReason.AtCapacity
            && WaitFor(facts, error, refusal.Reason is RefusalReason.AllCooling or RefusalReason.OwnerCooling ? refusal.Until : null, settings, now) is { } wait)
        {
            return new RecoveryDecision(RecoveryAction.ReplayHere, error.Reason, Wait: wait);
        }
        switch (refusal?.Reason)
        {
            case RefusalReason.OwnerGone:
                return facts.OnlyEncrypted ? Answer("owner_gone", Errors.EncryptionGone) : Rebuild(facts, "owner_gone");
            case RefusalReason.OwnerCooling when facts.OnlyEncrypted:
            case RefusalReason.AllCooling:
                return Answer("all_cooling", Errors.Exhausted(Earliest(refusal.Until, ResetOf(first, now)), refusal.OfModel ? facts.Model : null, now));
            // The account that failed is not exhausted: it may serve the next time.
            case RefusalReason.OwnerCooling when first is not null && ResetOf(first, now) is null:
                return Answer("owner_unavailable", Errors.OwnerUnavailable);
            case RefusalReason.OwnerCooling:
                return OwnerAway(facts, Earliest(refusal.Until, ResetOf(first, now)), settings, now);
        }
        return first switch
        {
            null => Answer(refusal is null ? "accounts_unavailable" : "refused", Refusals.Explain(refusal, facts.Model, now)),
            { Kind: SignalKind.Rejected, Error.Kind: UpstreamErrorKind.Authentication } => Answer(first.Error.Reason, Errors.UpstreamRefusedCredential),
            { Kind: SignalKind.Rejected, Error.IsLimit: true } when facts is { HasDomain: true, OnlyEncrypted: false } => OwnerAway(facts, first.Error.ResetAfter(now), settings, now),
            { Kind: SignalKind.Rejected, Error.Kind: UpstreamErrorKind.PreviousResponseNotFound } when facts.Anchor != Anchor.None => DeadAnchor(facts, settings, first.Error.Reason),
            { Kind: SignalKind.Rejected } => new RecoveryDecision(RecoveryAction.Surface, first.Error!.Reason),
            { Kind: SignalKind.NoResponse } => Answer("no_response", Errors.NoResponse),
            _ => Unserved(facts, first.Error),
        };
    }

    private static DateTimeOffset? ResetOf(RecoverySignal? signal, DateTimeOffset now) =>
        signal?.Error is { IsLimit: true } error ? error.ToldReset(now) : null;

    private static DateTimeOffset? Earliest(DateTimeOffset? one, DateTimeOffset? other) => one < other || other is null ? one : other;

    private static RecoveryDecision OwnerAway(in TurnFacts facts, DateTimeOffset? until, RecoverySettings settings, DateTimeOffset now) =>
        until is null || until - now <= settings.OwnerWait ? Answer("owner_unavailable", Errors.OwnerUnavailable) : Rebuild(facts, "owner_unavailable");

    // The owner will not be back in time: a client that knows this rebuilds on another account.
    private static RecoveryDecision Rebuild(in TurnFacts facts, string reason) => facts.Demand is { } demand
        ? new RecoveryDecision(RecoveryAction.Canonical, reason, Errors.NotFound(demand))
        : Answer(reason, Errors.NoAccounts);

    private static RecoveryDecision Unserved(in TurnFacts facts, UpstreamError? refusal) =>
        Answer("unreachable", facts.HasDomain ? Errors.OwnerUnavailable : Errors.Unreachable(refusal));

    // Rule 8.
    private static RecoveryDecision DeadAnchor(in TurnFacts facts, RecoverySettings settings, string reason)
    {
        var isTold = settings.NotFoundContract switch
        {
            NotFoundContract.Masked => false,
            NotFoundContract.Canonical => true,
            // Of an anchor that lived on a session it is certain: asked to retry, an HTTP client would only lose time.
            _ => facts.RejectedBefore || (facts.OverWebSocket && facts.IsNativeCodex) || facts is { OnSession: true, Anchor: Anchor.Local },
        };
        return isTold
            ? new RecoveryDecision(RecoveryAction.Canonical, reason, Errors.PreviousResponseNotFound(facts.Demand?.Id ?? ""))
            : new RecoveryDecision(RecoveryAction.Mask, reason, Errors.SocketCut(null));
    }

    private static RecoveryDecision Answer(string reason, ApiError error) => new(RecoveryAction.Answer, reason, error);
}

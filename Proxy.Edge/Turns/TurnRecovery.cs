using Microsoft.Extensions.Options;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using ServiceDefaults.Telemetry;

namespace Proxy.Edge.Turns;

/// <summary>Carries out what <see cref="RecoveryPolicy"/> decides, as far as it is the same on every surface.</summary>
internal sealed partial class TurnRecovery(
    TurnAdmission admission, RejectedAnchors rejections, AccountMarks marks, TurnTelemetry telemetry,
    IOptions<ContinuityOptions> continuity, IOptions<RecoveryOptions> recovery, IOptions<EdgeOptions> edge, TimeProvider time, ILogger<TurnRecovery> logger)
{
    private readonly RecoverySettings _settings = new(
        continuity.Value.NotFoundContract, TimeSpan.FromSeconds(continuity.Value.OwnerWait), recovery.Value.ReplayAfterClose, recovery.Value.DropForeignReasoning,
        TimeSpan.FromSeconds(edge.Value.AdmissionWaitSeconds));

    /// <summary>
    /// What to tell the client of a signal; null when the turn is to be sent once more: then it holds a slot where it is to go, and has waited
    /// as long as it should.
    /// </summary>
    public async Task<RecoveryDecision?> HandleAsync(Turn turn, RecoverySignal signal, TurnDeadline deadline)
    {
        if (signal.Kind == SignalKind.Rejected)
        {
            NoteRejection(turn, signal.Error);
        }
        else if (signal.Kind == SignalKind.NoWebSocket)
        {
            marks.NoteNoWebSockets(turn.Account!.Id);
        }
        else if (signal.Kind != SignalKind.NoResponse && deadline.Token.IsCancellationRequested)
        {
            // What breaks when a turn is stopped breaks in many ways; there is one reason for them all.
            signal = new RecoverySignal(deadline.Reason);
        }
        var facts = FactsOf(turn, signal, deadline.TimeLeft);
        RecoveryDecision decision;
        try
        {
            decision = Decide(facts, signal);
            if (decision.Action == RecoveryAction.RefreshCredential && !await TryRefreshAsync(turn, decision, deadline))
            {
                decision = Decide(facts with { CredentialRefreshed = true }, signal);
            }
            if (decision.Action == RecoveryAction.OverHttp)
            {
                GoOverHttp(turn, decision, signal);
                return null;
            }
            var first = signal;
            while (decision.IsReplay)
            {
                if (decision.Action == RecoveryAction.RefreshCredential || await ReadmitAsync(turn, decision, deadline) is not { } refused)
                {
                    LogReplay(turn.Id, turn.Surface, turn.ReplayTrigger!);
                    telemetry.Replayed(turn, turn.ReplayTrigger!);
                    return null;
                }
                signal = refused with { First = first };
                // Where nobody else is there, the account itself may be worth waiting for; that, too, is tried once.
                facts = decision.Action is RecoveryAction.ReplayElsewhere or RecoveryAction.TryElsewhere ? facts with { TimeLeft = deadline.TimeLeft } : facts with { Replays = facts.Replays + 1 };
                decision = Decide(facts, signal);
            }
            if (decision.Action == RecoveryAction.Mask && await rejections.NoteAsync(turn.Caller.KeyId, turn.Request.PreviousResponseId!, deadline.Token))
            {
                decision = Decide(facts with { RejectedBefore = true }, signal);
            }
        }
        catch (OperationCanceledException)
        {
            decision = Decide(facts, new RecoverySignal(deadline.Reason));
        }
        Note(turn, decision, signal);
        return decision;
    }

    /// <summary>
    /// True if an error event of a response that has begun is the client's to read: it then passes, and the response's own end may follow. Agents read only that one.
    /// </summary>
    public bool TryPass(TurnAttempt attempt, in ResponseFacts facts, AttemptDeadline limits)
    {
        var turn = attempt.Turn;
        var error = facts.Error ?? UpstreamError.Unspecified;
        var signal = new RecoverySignal(SignalKind.Rejected, error);
        if (turn is not { Response.HasBegun: true, Request.Stream: true } || Decide(FactsOf(turn, signal, limits.TimeLeft), signal) is not { Action: RecoveryAction.Surface } decision)
        {
            return false;
        }
        attempt.Response.ObserveRejection(facts);
        NoteRejection(turn, error);
        attempt.Response.Pass(error, decision.Reason);
        limits.AwaitEnd();
        return true;
    }

    private void NoteRejection(Turn turn, UpstreamError? error)
    {
        marks.Note(turn, error);
        if (error is { Kind: UpstreamErrorKind.Authentication } refused && turn.CredentialWasRenewed)
        {
            marks.NoteRefusedCredential(turn, refused.Reason, isRenewed: true);
        }
    }

    private RecoveryDecision Decide(in TurnFacts facts, RecoverySignal signal) => RecoveryPolicy.Decide(facts, signal, _settings, time.GetUtcNow());

    private static TurnFacts FactsOf(Turn turn, RecoverySignal signal, TimeSpan timeLeft) => new(
        OverWebSocket: turn.Surface == Surfaces.WebSocket || (turn.Surface == Surfaces.HttpSession && !turn.GoesOverHttp),
        MayGoOverHttp: turn is { Surface: Surfaces.HttpSession, Claim: not null, GoesOverHttp: false },
        OnSession: turn.Session is not null,
        IsNativeCodex: turn.Accepted.IsCodex,
        Anchor: turn.Route.Anchor,
        Demand: OwnerRoute.DemandsOf(turn.Request) is [var first, ..] ? first : null,
        HasDomain: turn.Route.Domain is not null,
        NamesConversation: turn.Request.ConversationId is not null,
        OnlyEncrypted: turn.Route.OnlyEncrypted,
        Phase: turn.Accepted.IsSuccessor ? TurnPhase.Visible : turn.Response.Phase,
        IsPrewarm: !turn.Request.Generate,
        IsBackground: turn.Request.Background,
        IsAlone: signal.IsAlone,
        Replays: turn.Replays,
        TimeLeft: timeLeft,
        Model: turn.Request.Model,
        IsGuess: turn.Route.IsGuess,
        HasCompaction: turn.Request.HasCompaction);

    private async Task<bool> TryRefreshAsync(Turn turn, RecoveryDecision decision, TurnDeadline deadline)
    {
        var refused = turn.Account!.Token;
        if (await admission.ReadmitAsync(turn, failedAccountId: null, refreshesCredential: true, dropsReasoning: false, deadline) is not null)
        {
            return false;
        }
        if (turn.Account.Token == refused)
        {
            marks.NoteRefusedCredential(turn, decision.Reason, isRenewed: false);
            return false;
        }
        turn.Replay(decision.Reason, failedAccountId: null, withNewCredential: true);
        return true;
    }

    private async Task<RecoverySignal?> ReadmitAsync(Turn turn, RecoveryDecision decision, TurnDeadline deadline)
    {
        if (decision.Wait > TimeSpan.Zero)
        {
            await Task.Delay(decision.Wait, time, deadline.Token);
        }
        if (decision.Action == RecoveryAction.TryElsewhere)
        {
            turn.Resolve(turn.Resolution.Elsewhere());
        }
        var failed = decision.Action is RecoveryAction.ReplayElsewhere or RecoveryAction.TryElsewhere ? turn.Account?.Id : null;
        if (await admission.ReadmitAsync(turn, failed, refreshesCredential: false, dropsReasoning: decision.Action == RecoveryAction.DropReasoning, deadline) is { } refused)
        {
            return refused;
        }
        turn.Replay(decision.Reason, failed);
        return null;
    }

    // It holds the slot that it needs. What was refused before it was sent is not sent once more, but for the first time.
    private void GoOverHttp(Turn turn, RecoveryDecision decision, RecoverySignal signal)
    {
        LogReplay(turn.Id, turn.Surface, decision.Reason);
        if (signal.Kind == SignalKind.Broken)
        {
            turn.Replay(decision.Reason, failedAccountId: null);
            telemetry.Replayed(turn, decision.Reason);
        }
        turn.GoOverHttp(decision.Reason);
    }

    private void Note(Turn turn, RecoveryDecision decision, RecoverySignal signal)
    {
        turn.Explain(decision.Reason);
        if (decision.Action is RecoveryAction.Mask or RecoveryAction.Canonical
            || decision.Tell == Errors.OwnerUnavailable || decision.Tell == Errors.OwnerLookupFailed || decision.Tell == Errors.SessionLookupFailed)
        {
            telemetry.CountFailClosed(turn, decision.Reason);
            LogFailClosed(turn.Surface, decision.Reason, LoggedId.Of(turn.Request.PreviousResponseId), LoggedId.Of(turn.Scope.SessionId), (signal.First ?? signal).Error?.Reason);
        }
    }

    [LoggerMessage(440, LogLevel.Information, "Turn {TurnId} on {Surface} is sent once more: {Trigger}")]
    private partial void LogReplay(Guid turnId, string surface, string trigger);

    [LoggerMessage(441, LogLevel.Warning, "continuity_fail_closed surface={Surface} reason={Reason} previous_response_id={PreviousResponseId} session_id={SessionId} upstream_error_code={Code}")]
    private partial void LogFailClosed(string surface, string reason, string? previousResponseId, string? sessionId, string? code);
}

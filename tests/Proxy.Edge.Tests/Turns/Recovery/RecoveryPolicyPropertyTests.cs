using CsCheck;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;

namespace Proxy.Edge.Tests.Turns.Recovery;

/// <summary>What holds of every decision, whatever the facts, the signal and the operator's choices.</summary>
public sealed class RecoveryPolicyPropertyTests
{
    private static readonly DateTimeOffset Now = new(2026, 8, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly Gen<TurnFacts> Facts =
        from overWebSocket in Gen.Bool
        from isCodex in Gen.Bool
        from anchor in Gen.Enum<Anchor>()
        from hasDomain in Gen.Bool
        from namesConversation in Gen.Bool
        from onlyEncrypted in Gen.Bool
        from phase in Gen.Enum<TurnPhase>()
        from isPrewarm in Gen.Bool
        from isAlone in Gen.Bool
        from replays in Gen.Int[0, 2]
        from refreshed in Gen.Bool
        from rejectedBefore in Gen.Bool
        from left in OneOf(0, 100, 1_000, 60_000)
        from onSession in Gen.Bool
        from isBackground in Gen.Bool
        from mayGoOverHttp in Gen.Bool
        select new TurnFacts(
            overWebSocket, isCodex, anchor,
            anchor != Anchor.None ? new OwnedId(OwnedKinds.Response, "resp_1") : namesConversation ? new OwnedId(OwnedKinds.Conversation, "conv_1") : null,
            hasDomain, namesConversation, onlyEncrypted && anchor == Anchor.None && !namesConversation, phase, isPrewarm, isAlone, replays, refreshed, rejectedBefore,
            TimeSpan.FromMilliseconds(left), "gpt-5.6", onSession, isBackground, mayGoOverHttp && overWebSocket);

    private static readonly Gen<UpstreamError?> Error = Gen.Select(
        OneOf<int?>(null, 400, 401, 404, 429, 500, 503),
        OneOf<string?>(null, "previous_response_not_found", "usage_limit_reached", "rate_limit_exceeded", "RateLimitReached", "server_is_overloaded", "invalid_api_key", "websocket_connection_limit_reached",
            "invalid_encrypted_content", "context_length_exceeded", "server_error"),
        OneOf<double?>(null, 0.2, 5.0, 50.0, 5000.0),
        (status, code, wait) => (UpstreamError?)(UpstreamError.Of(status, code, null, "told", null) with { RetryAfter = wait is { } seconds ? TimeSpan.FromSeconds(seconds) : null }));

    private static readonly Gen<AdmissionRefusal?> Refusal = Gen.Select(
        Gen.Enum<RefusalReason>(), OneOf<int?>(null, -5, 30, 3600), Gen.Bool,
        (reason, until, answers) => answers ? new AdmissionRefusal(reason, until is { } seconds ? Now.AddSeconds(seconds) : null) : null);

    private static readonly Gen<RecoverySignal> Signal = Gen.Select(
        Gen.Enum<SignalKind>(), Error, Gen.Bool, OneOf<int?>(null, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012), Refusal, Gen.Bool, Error,
        (kind, error, isUnanswered, code, refusal, isReplay, firstError) => new RecoverySignal(
            kind,
            kind is SignalKind.Rejected ? error : null,
            kind is SignalKind.Broken ? code : null,
            kind is SignalKind.Refused ? refusal : null,
            kind is SignalKind.Refused && isReplay ? new RecoverySignal(SignalKind.Rejected, firstError) : null)
        {
            IsUnanswered = isUnanswered,
        });

    private static readonly Gen<RecoverySettings> Settings = Gen.Select(
        Gen.Enum<NotFoundContract>(), Gen.Enum<ReplayAfterClose>(), Gen.Bool, OneOf(0, 30),
        (contract, replay, drops, limitWait) => new RecoverySettings(contract, TimeSpan.FromSeconds(60), replay, drops, TimeSpan.FromSeconds(limitWait)));

    [Fact]
    public void Every_signal_leads_to_a_decision_that_can_be_carried_out() => Holds((_, _, _, decision) =>
        decision.Reason.Length > 0 && (decision.IsReplay || decision.Action is RecoveryAction.Surface or RecoveryAction.OverHttp || decision.Tell is not null));

    [Fact]
    public void A_turn_is_sent_once_more_at_most() => Holds((facts, _, _, decision) => facts.Replays == 0 || !decision.IsReplay);

    [Fact]
    public void What_the_client_has_seen_is_never_sent_again() => Holds((facts, _, _, decision) =>
        !decision.IsReplay || facts.Phase < TurnPhase.Created || (facts is { IsPrewarm: true, Phase: TurnPhase.Created }));

    [Fact]
    public void A_follow_up_is_never_sent_again_when_it_may_have_run() => Holds((facts, signal, _, decision) =>
        !decision.IsReplay || !facts.IsFollowUp || signal.Kind is not (SignalKind.Broken or SignalKind.NotCreated));

    [Fact]
    public void Whether_it_has_run_is_left_open_once_at_most_and_only_for_a_turn_that_was_alone() => Holds((facts, signal, settings, decision) =>
        !decision.IsReplay || signal.Kind is not (SignalKind.Broken or SignalKind.NotCreated)
        || (facts.IsAlone && (facts.OverWebSocket || signal is { Kind: SignalKind.Broken, IsUnanswered: true, CloseCode: null }) && (facts.IsPrewarm || settings.ReplayAfterClose == ReplayAfterClose.Precreated)));

    [Fact]
    public void A_frame_that_upstream_has_judged_is_not_sent_again() => Holds((_, signal, _, decision) =>
        signal.CloseCode is not (1002 or 1003 or 1007 or 1008 or 1009) || !decision.IsReplay);

    // Nothing was sent, or upstream has said that it takes no frame so large: neither has run.
    [Fact]
    public void A_turn_goes_over_http_where_the_gateway_put_it_on_a_socket_that_will_not_do() => Holds((facts, signal, _, decision) =>
        decision.Action != RecoveryAction.OverHttp
        || (facts is { MayGoOverHttp: true } && facts.Anchor != Anchor.Local && (signal.Kind is SignalKind.NoWebSocket or SignalKind.NoSessionSocket || (signal.CloseCode == 1009 && facts.CanReplay))));

    [Fact]
    public void A_limit_is_waited_for_no_longer_than_the_operator_said() => Holds((_, signal, settings, decision) =>
        !decision.IsReplay || signal.First?.Error is not { IsLimit: true } || decision.Wait <= settings.LimitWait);

    [Fact]
    public void A_busy_account_is_left_only_by_a_turn_that_nothing_binds() => Holds((facts, signal, _, decision) =>
        signal.Error is not { Kind: UpstreamErrorKind.Overload } || decision.Action != RecoveryAction.ReplayElsewhere || facts is { HasDomain: false, IsFollowUp: false }
        || signal.Kind is SignalKind.Unreachable or SignalKind.NoWebSocket);

    [Fact]
    public void An_anchor_that_lives_on_a_socket_is_not_sent_anywhere_else() => Holds((facts, _, _, decision) =>
        facts.Anchor != Anchor.Local || decision.Action != RecoveryAction.ReplayElsewhere);

    [Fact]
    public void A_raw_not_found_of_an_anchor_never_reaches_the_client() => Holds((facts, signal, _, decision) =>
        facts.Anchor == Anchor.None || (signal.Error ?? signal.First?.Error) is not { Kind: UpstreamErrorKind.PreviousResponseNotFound }
        || decision.Action != RecoveryAction.Surface);

    [Fact]
    public void A_client_is_told_that_its_anchor_is_dead_by_rules_8_and_9_only() => Holds((facts, signal, _, decision) =>
        decision.Action != RecoveryAction.Canonical
        || signal.Kind is SignalKind.AnchorGone or SignalKind.NotWritten
        || signal.Error?.Kind is UpstreamErrorKind.PreviousResponseNotFound or UpstreamErrorKind.ConnectionLimit or UpstreamErrorKind.Quota or UpstreamErrorKind.RateLimit
            or UpstreamErrorKind.Overload or UpstreamErrorKind.Authentication
        || signal.Refusal?.Reason is RefusalReason.OwnerGone or RefusalReason.OwnerCooling
        || signal.First?.Error?.Kind is UpstreamErrorKind.Quota or UpstreamErrorKind.RateLimit or UpstreamErrorKind.PreviousResponseNotFound);

    [Fact]
    public void The_deadline_is_never_extended() => Holds((facts, _, _, decision) =>
        !decision.IsReplay || (facts.TimeLeft > TimeSpan.Zero && decision.Wait < facts.TimeLeft));

    [Fact]
    public void A_background_response_has_no_end_of_ours() => Holds((facts, _, _, decision) =>
        facts is not { IsBackground: true, Phase: >= TurnPhase.Created } || decision.IsReplay || decision.Action is RecoveryAction.Surface or RecoveryAction.RunsOn or RecoveryAction.Abandon);

    [Fact]
    public void A_refused_credential_is_never_shown_to_a_client() => Holds((_, signal, _, decision) =>
        signal is not { Kind: SignalKind.Rejected, Error.Kind: UpstreamErrorKind.Authentication } || decision.Action != RecoveryAction.Surface);

    [Fact]
    public void Reasoning_is_dropped_only_where_the_operator_said_so() => Holds((_, _, settings, decision) =>
        decision.Action != RecoveryAction.DropReasoning || settings.DropForeignReasoning);

    [Fact]
    public void A_masked_contract_masks_and_a_canonical_one_does_not() => Holds((facts, signal, settings, decision) =>
        signal is not { Kind: SignalKind.AnchorGone } || facts.Anchor == Anchor.None || facts.IsBackground || settings.NotFoundContract switch
        {
            NotFoundContract.Masked => decision.Action == RecoveryAction.Mask,
            NotFoundContract.Canonical => decision.Action == RecoveryAction.Canonical,
            _ => decision.Action == (facts.RejectedBefore || facts is { IsNativeCodex: true, OverWebSocket: true } or { OnSession: true, Anchor: Anchor.Local } ? RecoveryAction.Canonical : RecoveryAction.Mask),
        });

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    private static void Holds(Func<TurnFacts, RecoverySignal, RecoverySettings, RecoveryDecision, bool> property) =>
        Gen.Select(Facts, Signal, Settings).Sample((facts, signal, settings) => property(facts, signal, settings, RecoveryPolicy.Decide(facts, signal, settings, Now)), iter: 20_000);
}

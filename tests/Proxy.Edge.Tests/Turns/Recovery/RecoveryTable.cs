using System.Text;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;

namespace Proxy.Edge.Tests.Turns.Recovery;

/// <summary>The recovery policy as a table for people: situations across, signals down, each cell what is decided.</summary>
internal static class RecoveryTable
{
    private static readonly DateTimeOffset Now = new(2026, 8, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly OwnedId AnchorId = new(OwnedKinds.Response, "resp_1");
    private static readonly TurnFacts Socket = new(OverWebSocket: true, Phase: TurnPhase.Sent, TimeLeft: TimeSpan.FromMinutes(10), Model: "m");
    private static readonly TurnFacts Stored = Socket with { Anchor = Anchor.Stored, Demand = AnchorId, HasDomain = true };

    private static readonly (string Name, TurnFacts Facts)[] Situations =
    [
        ("new", Socket),
        ("stored anchor", Stored),
        ("local anchor", Stored with { Anchor = Anchor.Local }),
        ("local, Codex", Stored with { Anchor = Anchor.Local, IsNativeCodex = true }),
        ("session, local anchor", Stored with { Anchor = Anchor.Local, OnSession = true }),
        ("session, stored anchor", Stored with { OnSession = true }),
        ("unknown anchor", Socket with { Anchor = Anchor.Unknown, Demand = AnchorId }),
        ("conversation", Socket with { NamesConversation = true, Demand = new OwnedId(OwnedKinds.Conversation, "conv_1"), HasDomain = true }),
        ("not alone", Socket with { IsAlone = false }),
        ("sent twice", Socket with { Replays = 1 }),
        ("sent twice, stored", Stored with { Replays = 1 }),
        ("prewarm created", Socket with { IsPrewarm = true, Phase = TurnPhase.Created }),
        ("created", Socket with { Phase = TurnPhase.Created }),
        ("created, stored", Stored with { Phase = TurnPhase.Created }),
        ("background created", Socket with { OverWebSocket = false, IsBackground = true, Phase = TurnPhase.Created }),
        ("HTTP new", Socket with { OverWebSocket = false }),
        ("session, new", Socket with { OnSession = true, MayGoOverHttp = true }),
        ("HTTP stored", Stored with { OverWebSocket = false }),
    ];

    private static readonly (string Name, RecoverySignal Signal)[] Signals =
    [
        ("not found", Rejected("previous_response_not_found", 400)),
        ("not found, told before", Rejected("previous_response_not_found", 400)),
        ("quota, back in 30 s", Rejected("usage_limit_reached", 429, 30)),
        ("quota, back in an hour", Rejected("usage_limit_reached", 429, 3600)),
        ("rate limit of a model", Rejected("rate_limit_exceeded", 429, 30)),
        ("larger than any limit", new RecoverySignal(SignalKind.Rejected, UpstreamError.Of(429, "rate_limit_exceeded", "tokens", "Request too large for m.", null))),
        ("overload", Rejected("server_is_overloaded", 503)),
        ("overload, wait a minute", Rejected("server_is_overloaded", 503, 60)),
        ("overload, and no other account", Refused(RefusalReason.NoOther) with { First = Rejected("server_is_overloaded", 503) }),
        ("credential refused", Rejected("invalid_api_key", 401)),
        ("credential refused, read anew", Rejected("invalid_api_key", 401)),
        ("connection limit (60 minutes)", Rejected("websocket_connection_limit_reached", 400)),
        ("any other error", Rejected("context_length_exceeded", 400)),
        ("an answer that is no response", new RecoverySignal(SignalKind.NoResponse)),
        ("unreachable", new RecoverySignal(SignalKind.Unreachable)),
        ("no WebSocket (426)", new RecoverySignal(SignalKind.NoWebSocket)),
        ("socket closed before the frame", new RecoverySignal(SignalKind.NotWritten)),
        ("cut, or closed 1000, 1001, 1011, ...", new RecoverySignal(SignalKind.Broken)),
        ("HTTP: cut before any byte of the answer", new RecoverySignal(SignalKind.Broken) { IsUnanswered = true }),
        ("closed 1002, 1003, 1007, 1008", new RecoverySignal(SignalKind.Broken, CloseCode: 1008)),
        ("closed 1009", new RecoverySignal(SignalKind.Broken, CloseCode: 1009)),
        ("no response.created in time", new RecoverySignal(SignalKind.NotCreated)),
        ("silent within the response", new RecoverySignal(SignalKind.Idle)),
        ("deadline", new RecoverySignal(SignalKind.Deadline)),
        ("slot lost", new RecoverySignal(SignalKind.LeaseLost)),
        ("anchor's socket is gone", new RecoverySignal(SignalKind.AnchorGone)),
        ("session claimed by another edge", new RecoverySignal(SignalKind.SessionLost)),
        ("session could not be looked up", new RecoverySignal(SignalKind.SessionUnknown)),
        ("too many wait for the session", new RecoverySignal(SignalKind.SessionsBusy)),
        ("owner cools down for 30 s", Refused(RefusalReason.OwnerCooling, 30)),
        ("owner cools down for an hour", Refused(RefusalReason.OwnerCooling, 3600)),
        ("owner is gone", Refused(RefusalReason.OwnerGone)),
        ("all accounts cool down", Refused(RefusalReason.AllCooling, 3600)),
        ("quota, and no other account", Refused(RefusalReason.NoOther) with { First = Rejected("usage_limit_reached", 429, 3600) }),
        ("limit for 20 s, and no other account", Refused(RefusalReason.NoOther) with { First = Rejected("rate_limit_exceeded", 429, 20) }),
        ("owner could not be looked up", new RecoverySignal(SignalKind.LookupFailed)),
        ("the edge stops", new RecoverySignal(SignalKind.Draining)),
        ("the key ends", new RecoverySignal(SignalKind.KeyEnded)),
        ("client left", new RecoverySignal(SignalKind.ClientLeft)),
    ];

    /// <summary>The table in Markdown, with the default settings.</summary>
    public static string Write()
    {
        var settings = new RecoverySettings(OwnerWait: TimeSpan.FromSeconds(60), LimitWait: TimeSpan.FromSeconds(30));
        var text = new StringBuilder();
        text.Append("| what happens |").AppendJoin("|", Situations.Select(situation => $" {situation.Name} ")).Append("|\n|---|").AppendJoin("|", Situations.Select(_ => "---")).Append("|\n");
        foreach (var (name, signal) in Signals)
        {
            text.Append($"| {name} |").AppendJoin("|", Situations.Select(situation => $" {Cell(situation.Facts with
            {
                RejectedBefore = name.EndsWith("told before", StringComparison.Ordinal),
                CredentialRefreshed = name.EndsWith("read anew", StringComparison.Ordinal),
            }, signal, settings)} ")).Append("|\n");
        }
        return text.ToString();
    }

    private static string Cell(in TurnFacts facts, RecoverySignal signal, RecoverySettings settings)
    {
        var decision = RecoveryPolicy.Decide(facts, signal, settings, Now);
        return decision.Action switch
        {
            RecoveryAction.Surface => "as it came",
            RecoveryAction.Answer => $"{decision.Tell!.Status} `{decision.Tell.Code}`",
            RecoveryAction.Mask => "mask",
            RecoveryAction.Canonical => "**canonical**",
            RecoveryAction.ReplayHere when decision.Wait > TimeSpan.Zero => "wait, again",
            RecoveryAction.ReplayHere => "again",
            RecoveryAction.ReplayElsewhere => "again elsewhere",
            RecoveryAction.OverHttp => "over HTTP",
            RecoveryAction.RefreshCredential => "again, new credential",
            RecoveryAction.DropReasoning => "again, without reasoning",
            RecoveryAction.RunsOn => "runs on",
            RecoveryAction.Abandon => "-",
            _ => throw new InvalidOperationException($"No word for {decision.Action}."),
        };
    }

    private static RecoverySignal Rejected(string code, int status, int? wait = null) => new(
        SignalKind.Rejected, UpstreamError.Of(status, code, null, null, null) with { RetryAfter = wait is { } seconds ? TimeSpan.FromSeconds(seconds) : null });

    private static RecoverySignal Refused(RefusalReason reason, int? until = null) =>
        new(SignalKind.Refused, Refusal: new AdmissionRefusal(reason, until is { } seconds ? Now.AddSeconds(seconds) : null));
}

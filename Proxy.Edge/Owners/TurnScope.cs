using Proxy.Edge.Protocol;

namespace Proxy.Edge.Owners;

/// <summary>Which conversation the client says a turn belongs to: a preference for the account that served it last, never a demand.</summary>
/// <param name="Key">The strongest name given, with its kind in front, so that two kinds with the same value do not meet.</param>
/// <param name="SessionId">The same name as the log row has it.</param>
/// <param name="TurnState">What upstream gave the client to send along; it is worth something in the domain that gave it only.</param>
internal sealed record TurnScope(string? Key, string? SessionId, string? TurnState = null)
{
    // The kinds of names, as keys begin with them.
    public const string State = "state";
    public const string Thread = "thread";
    public const string Session = "session";
    public const string Conversation = "conversation";
    public const string Cache = "cache";

    /// <summary>
    /// The turn state names one thread on one machine. Thread before session: sub-agents share their parent's session and cache key but run on
    /// threads of their own. The prompt cache key is the weakest: unrelated conversations may share it.
    /// </summary>
    public static TurnScope Of(IHeaderDictionary headers, TurnRequest request)
    {
        var turnState = NameOf(headers[WireHeaders.TurnState]) ?? NameOf(request.TurnState);
        ReadOnlySpan<(string Kind, string? Value)> names =
        [
            (State, turnState),
            (Thread, headers[WireHeaders.ThreadId]),
            (Thread, request.ThreadId),
            (Session, headers[WireHeaders.SessionId]),
            (Session, headers[WireHeaders.LegacySessionId]),
            (Session, request.SessionId),
            (Session, headers[WireHeaders.CodexSessionId]),
            (Conversation, headers[WireHeaders.CodexConversationId]),
            (Cache, request.PromptCacheKey),
        ];
        foreach (var (kind, value) in names)
        {
            if (NameOf(value) is { } name)
            {
                return new TurnScope($"{kind}:{name}", name, turnState);
            }
        }
        return new TurnScope(null, null);
    }

    private static string? NameOf(string? value) => string.IsNullOrWhiteSpace(value) ? null : value.Trim();
}

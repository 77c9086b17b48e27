using Proxy.Edge.Protocol;

namespace Proxy.Edge.Turns;

/// <summary>Which conversation the client says a turn belongs to: a preference for the account that served it last, never a demand.</summary>
/// <param name="Key">The strongest name given, with its kind in front, so that two kinds with the same value do not meet.</param>
/// <param name="SessionId">The same name as the log row has it.</param>
internal sealed record TurnScope(string? Key, string? SessionId)
{
    /// <summary>
    /// Thread before session: sub-agents share their parent's session and cache key but run on threads of their own.
    /// The prompt cache key is the weakest: unrelated conversations may share it.
    /// </summary>
    public static TurnScope Of(IHeaderDictionary headers, TurnRequest request)
    {
        (string Kind, string? Value)[] names =
        [
            ("thread", headers[WireHeaders.ThreadId]),
            ("thread", request.ThreadId),
            ("session", headers[WireHeaders.SessionId]),
            ("session", headers[WireHeaders.LegacySessionId]),
            ("session", request.SessionId),
            ("session", headers[WireHeaders.CodexSessionId]),
            ("conversation", headers[WireHeaders.CodexConversationId]),
            ("cache", request.PromptCacheKey),
        ];
        foreach (var (kind, value) in names)
        {
            if (!string.IsNullOrWhiteSpace(value))
            {
                return new TurnScope($"{kind}:{value}", value);
            }
        }
        return new TurnScope(null, null);
    }
}

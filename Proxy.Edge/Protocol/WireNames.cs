namespace Proxy.Edge.Protocol;

/// <summary>Header names of the wire, once.</summary>
internal static class WireHeaders
{
    public const string RequestId = "x-request-id";
    public const string Continuity = "x-continuity";
    public const string ThreadId = "thread-id";
    public const string SessionId = "session-id";
    public const string LegacySessionId = "session_id";
    public const string CodexSessionId = "x-codex-session-id";
    public const string CodexConversationId = "x-codex-conversation-id";
    public const string TurnState = "x-codex-turn-state";
    public const string Originator = "originator";
    public const string Beta = "openai-beta";
    public const string AzureKey = "api-key";
    public const string ModelsEtag = "x-models-etag";
    public const string ReasoningIncluded = "x-reasoning-included";

    /// <summary>From one edge to another, with a turn that only the other can serve.</summary>
    public const string Forwarded = "x-continuity-forward";
}

/// <summary>Types of client frames and upstream events that the edge acts on; all others pass.</summary>
internal static class WireTypes
{
    public const string Create = "response.create";

    /// <summary>Changes the course of a running response; names it as <c>previous_response_id</c>.</summary>
    public const string Steer = "response.steer";

    /// <summary>Acknowledges a response that has ended; nobody waits for an answer, and an idle client would take one for its next turn's.</summary>
    public const string Processed = "response.processed";

    public static ReadOnlySpan<byte> Created => "response.created"u8;
    public static ReadOnlySpan<byte> Completed => "response.completed"u8;
    public static ReadOnlySpan<byte> Failed => "response.failed"u8;
    public static ReadOnlySpan<byte> Incomplete => "response.incomplete"u8;
    public static ReadOnlySpan<byte> DeltaSuffix => ".delta"u8;
    public static ReadOnlySpan<byte> Metadata => "response.metadata"u8;
    public static ReadOnlySpan<byte> Error => "error"u8;
    public static ReadOnlySpan<byte> ItemDone => "response.output_item.done"u8;

    /// <summary>True for upstream's answers to frames about a response: <c>response.steer.accepted</c>, <c>response.interrupt.accepted</c>. They may come after its end.</summary>
    public static bool IsOfControl(ReadOnlySpan<byte> type) => type.StartsWith("response.steer."u8) || type.StartsWith("response.interrupt."u8) || type.StartsWith("response.inject."u8);

    /// <summary>False for types of events that are about a socket rather than a response on it, and for what is no event at all.</summary>
    public static bool IsOfResponse(ReadOnlySpan<byte> type) => !type.IsEmpty && !type.StartsWith("codex."u8) && !type.StartsWith("responsesapi."u8);
}

/// <summary>How a turn reaches us and goes on, as log rows and counters name it.</summary>
internal static class Surfaces
{
    public const string WebSocket = "websocket";
    public const string HttpStream = "http_stream";
    public const string HttpJson = "http_json";

    /// <summary>HTTP to us, a session's socket upstream.</summary>
    public const string HttpSession = "http_bridge";
}

/// <summary>Where the API is mounted. Everything after the prefix is the same on an account, below its base URL.</summary>
internal static class ApiPrefixes
{
    public const string OpenAi = "/v1";
    public const string Codex = "/backend-api/codex";
    public const string CodexV1 = "/backend-api/codex/v1";

    /// <summary>The base path of Azure's clients.</summary>
    public const string Azure = "/openai/v1";

    public static readonly string[] All = [OpenAi, Codex, CodexV1, Azure];
}

/// <summary>Clients that are told things in a way of their own.</summary>
internal static class ClientKinds
{
    /// <summary>
    /// The Codex CLI: <c>openai-beta: responses_websockets=2026-02-06</c> on its upgrades, <c>originator: codex_exec</c> (or <c>codex_cli_rs</c>, ...)
    /// on everything.
    /// </summary>
    public static bool IsCodex(IHeaderDictionary headers) =>
        headers[WireHeaders.Beta].ToString().Contains("responses_websockets=", StringComparison.OrdinalIgnoreCase)
        || headers[WireHeaders.Originator].ToString().StartsWith("codex", StringComparison.OrdinalIgnoreCase);
}

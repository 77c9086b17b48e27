using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Protocol;

/// <summary>What routing needs of a <c>response.create</c>; the body itself stays bytes.</summary>
internal sealed record TurnRequest
{
    /// <summary>Frame type; HTTP bodies have none.</summary>
    public string? Type { get; init; }

    public string? Model { get; init; }

    /// <summary>True if the client wants events (HTTP only: frames always stream).</summary>
    public bool Stream { get; init; }

    /// <summary>False makes the response connection-local. The API's default is true.</summary>
    public bool Store { get; init; } = true;

    public bool Background { get; init; }

    /// <summary>False for a prewarm: upstream only takes the input in, and generates nothing.</summary>
    public bool Generate { get; init; } = true;

    /// <summary>The lane of a frame; null is the default lane.</summary>
    public string? StreamId { get; init; }

    /// <summary>The anchor.</summary>
    public string? PreviousResponseId { get; init; }

    /// <summary>The response that a frame other than <c>response.create</c> is about, such as <c>response.interrupt</c>.</summary>
    public string? ResponseId { get; init; }

    public string? ConversationId { get; init; }

    /// <summary>Files, items, vector stores and whatever else only one account knows, besides anchor and conversation. Distinct, in order of appearance.</summary>
    public IReadOnlyList<OwnedId> NamedIds { get; init; } = [];

    /// <summary>What it carries that only its own organisation can read, by fingerprint: the latest of them, latest first.</summary>
    public IReadOnlyList<OwnedId> Encrypted { get; init; } = [];

    public string? PromptCacheKey { get; init; }

    /// <summary>From <c>client_metadata</c>, where Codex puts on a socket what it sends as headers over HTTP.</summary>
    public string? TurnState { get; init; }

    public string? SessionId { get; init; }

    public string? ThreadId { get; init; }

    /// <summary>True if the history was compacted: the history itself is then readable in its own organisation only.</summary>
    public bool HasCompaction { get; init; }

    /// <summary>True if an input item carries reasoning or a compaction that only its own organisation can read.</summary>
    public bool HasEncryptedContent => Encrypted.Count > 0;
}

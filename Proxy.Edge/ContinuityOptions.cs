using System.ComponentModel.DataAnnotations;

namespace Proxy.Edge;

/// <summary>What a route does with an id of which nothing is known.</summary>
internal enum UnknownIds
{
    /// <summary>It is not found.</summary>
    Refuse,

    /// <summary>An account is asked: the id may have been made before this gateway was.</summary>
    Try,
}

/// <summary>How a client learns that its anchor is dead.</summary>
internal enum NotFoundContract
{
    /// <summary>Codex at once, since it resends its history unseen; others are first asked to retry, and told the second time.</summary>
    Auto,

    /// <summary>Always a retryable <c>stream_incomplete</c>.</summary>
    Masked,

    /// <summary>Always <c>previous_response_not_found</c>.</summary>
    Canonical,
}

/// <summary>Section <c>Continuity</c>, as far as it is the edge's.</summary>
internal sealed class ContinuityOptions
{
    public const string Section = "Continuity";

    /// <summary>For routes that name an id in their path. Default: refuse.</summary>
    public UnknownIds UnknownIds { get; set; }

    /// <summary>Default: auto.</summary>
    public NotFoundContract NotFoundContract { get; set; }

    /// <summary>
    /// Seconds for which a follow-up is asked to come back while its owner is away; past it the client is told to rebuild elsewhere. Default 60.
    /// </summary>
    [Range(0, 86400)]
    public int OwnerWait { get; set; } = 60;
}

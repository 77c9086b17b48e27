namespace Proxy.Edge;

/// <summary>What a route does with an id of which nothing is known.</summary>
internal enum UnknownIds
{
    /// <summary>It is not found.</summary>
    Refuse,

    /// <summary>An account is asked: the id may have been made before this gateway was.</summary>
    Try,
}

/// <summary>Section <c>Continuity</c>, as far as it is the edge's.</summary>
internal sealed class ContinuityOptions
{
    public const string Section = "Continuity";

    /// <summary>For routes that name an id in their path. Default: refuse.</summary>
    public UnknownIds UnknownIds { get; set; }
}

namespace Proxy.Continuity.Contracts;

/// <summary>How a turn ended, as <c>request_logs.status</c> says it.</summary>
internal static class TurnStatus
{
    /// <summary>Completed, or accepted by upstream to run in the background: its id is a valid anchor.</summary>
    public const string Success = "success";

    /// <summary>Ended by upstream with <c>response.incomplete</c>: still a valid anchor.</summary>
    public const string Incomplete = "incomplete";

    /// <summary>Upstream answered with an error.</summary>
    public const string Failed = "failed";

    /// <summary>Upstream's stream ended without a terminal event.</summary>
    public const string Cut = "cut";

    /// <summary>The client left first.</summary>
    public const string Cancelled = "cancelled";

    /// <summary>Never sent upstream: no account, no capacity, an owner that is away.</summary>
    public const string Refused = "refused";
}

/// <summary>One accepted turn. Its identity is (<see cref="RequestedAt"/>, <see cref="Id"/>), fixed when the turn was accepted.</summary>
/// <param name="Id">The turn's id (UUIDv7).</param>
/// <param name="RequestedAt">When the turn was accepted, UTC.</param>
/// <param name="RequestId">The upstream id the turn minted, whenever one was seen.</param>
/// <param name="Kind">What was minted: one of <see cref="OwnedKinds"/>.</param>
/// <param name="Status">One of <see cref="TurnStatus"/>.</param>
/// <param name="Stored">False for a connection-local id.</param>
/// <param name="Session">The session whose socket carried the turn, as <see cref="SessionClaim"/> names it.</param>
/// <param name="Items">The output items of a stored response, separated by spaces: the ids that a later request may name.</param>
/// <param name="UsageEstimated">The token counts were counted from what was relayed, not told by upstream.</param>
internal sealed record RequestLogRow(
    Guid Id,
    DateTimeOffset RequestedAt,
    string? RequestId,
    string Kind,
    string ApiKeyId,
    string? SessionId,
    string? AccountId,
    string? Domain,
    string Surface,
    string? Model,
    string Status,
    int HttpStatus,
    string? ErrorCode,
    bool Stored,
    long? InputTokens,
    long? CachedInputTokens,
    long? OutputTokens,
    long? ReasoningTokens,
    long? TotalTokens,
    bool UsageEstimated,
    double? FirstEventMs,
    double DurationMs,
    string EdgeId,
    string? TraceParent,
    string? Continuity,
    string? Session = null,
    string? Items = null);

/// <summary>POST <see cref="ContinuityRoutes.RequestLogs"/>: at most <see cref="ContinuityRoutes.MaxRows"/> rows; sending one again changes nothing.</summary>
internal sealed record IntakeRequest(IReadOnlyList<RequestLogRow> Rows);

/// <summary>Every row sent is now either in <c>request_logs</c> or set aside with its reason.</summary>
/// <param name="Quarantined">Rows that the database refuses for what they contain.</param>
internal sealed record IntakeResponse(int Quarantined);

namespace Proxy.Accounts.Contracts;

/// <summary>The end of a turn. Settling frees its slot and books its usage; doing so again changes nothing.</summary>
/// <param name="Outcome">The turn's status as the request log has it.</param>
/// <param name="Estimated">The counts were counted from what was relayed, not told by upstream.</param>
internal sealed record SettledTurn(
    Guid TurnId, string KeyId, string AccountId, string? Model, string Outcome, DateTimeOffset SettledAt, bool Estimated,
    long InputTokens, long CachedInputTokens, long OutputTokens, long ReasoningTokens, long TotalTokens);

/// <summary>POST <see cref="AccountsRoutes.Settle"/>.</summary>
internal sealed record SettleRequest(IReadOnlyList<SettledTurn> Turns);

/// <summary>POST <see cref="AccountsRoutes.Mark"/>: an explicit signal of upstream that an account is exhausted, or speaks no WebSocket.</summary>
/// <param name="Until">The account serves no new turn before this time; an earlier mark never shortens a later one.</param>
/// <param name="Reason">Upstream's error code.</param>
/// <param name="Model">It is exhausted for this model only; at most <see cref="LongestModel"/> characters.</param>
/// <param name="OnlyWebSockets">It goes on serving, but over HTTP only.</param>
internal sealed record MarkRequest(string AccountId, DateTimeOffset Until, string Reason, string? Model = null, bool OnlyWebSockets = false)
{
    public const int LongestModel = 200;
}

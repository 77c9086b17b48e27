using System.Collections.Frozen;
using Proxy.Accounts.Contracts;
using ServiceDefaults.Security;

namespace Proxy.Accounts.Accounts;

/// <summary>Whether an account may serve at all. Cooling is not a state: it ends by itself.</summary>
internal enum AccountState
{
    /// <summary>Serves.</summary>
    Active,

    /// <summary>Switched off by an administrator.</summary>
    Disabled,

    /// <summary>Its credential was refused for good and must be renewed by hand.</summary>
    ReauthRequired,
}

/// <summary>An upstream account, its credential in clear: it exists in memory only.</summary>
internal sealed record Account(
    Guid Id, string Name, string BaseUrl, string Domain, CredentialKind CredentialKind, Secret Credential, bool WebSockets, bool Lanes,
    int Priority, int Weight, int MaxConcurrentTurns, IReadOnlyList<string> Models, AccountState State, DateTimeOffset? CoolingUntil, string? CoolingReason)
{
    /// <summary>The id as contracts and key names carry it.</summary>
    public string Key { get; } = Id.ToString("N");

    /// <summary>Models that cool down on this account, each with the time until when.</summary>
    public IReadOnlyDictionary<string, DateTimeOffset> CoolingModels { get; init; } = FrozenDictionary<string, DateTimeOffset>.Empty;

    /// <summary>Upstream refuses to open WebSockets; until then it is not asked again.</summary>
    public DateTimeOffset? WebSocketsRefusedUntil { get; init; }

    /// <summary>The account's own cool-down, if it still runs at this time.</summary>
    public DateTimeOffset? CoolingAt(DateTimeOffset now) => CoolingUntil > now ? CoolingUntil : null;

    /// <summary>The account's cool-down for a model, its own included; null for the model is its own.</summary>
    public DateTimeOffset? CoolingAt(DateTimeOffset now, string? model)
    {
        var own = CoolingAt(now);
        return model is not null && CoolingModels.TryGetValue(model, out var until) && until > now && !(own > until) ? until : own;
    }

    /// <summary>True if turns may go over WebSockets.</summary>
    public bool SpeaksWebSocketsAt(DateTimeOffset now) => WebSockets && !(WebSocketsRefusedUntil > now);
}

/// <summary>A caller's key.</summary>
/// <param name="Models">Patterns of models it may use; <c>*</c> for all.</param>
/// <param name="Accounts">Names of accounts it may use; <c>*</c> for all.</param>
internal sealed record ApiKey(
    Guid Id, string Name, string Hash, string Hint, IReadOnlyList<string> Models, IReadOnlyList<string> Accounts,
    IReadOnlyList<KeyLimit> Limits, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt)
{
    /// <summary>The id as contracts and key names carry it.</summary>
    public string Key { get; } = Id.ToString("N");

    /// <summary>True if it need not name a model.</summary>
    public bool MayUseEveryModel => Models.Contains("*");

    /// <summary>Neither revoked nor expired.</summary>
    public bool IsValidAt(DateTimeOffset now) => RevokedAt is null && !(ExpiresAt <= now);
}

/// <summary>A limit on one key: at most <paramref name="Max"/> of a kind in each window.</summary>
/// <param name="Kind"><c>requests</c>, <c>input_tokens</c>, <c>output_tokens</c>, <c>total_tokens</c>.</param>
/// <param name="Window"><c>minute</c>, <c>5h</c>, <c>day</c>, <c>week</c>, <c>month</c>.</param>
internal sealed record KeyLimit(string Kind, string Window, long Max);

namespace Proxy.Accounts.Contracts;

/// <summary>POST <see cref="AccountsRoutes.KeyGrants"/>: what the keys in whose names something runs may still do. Asked every few seconds by each edge.</summary>
/// <param name="KeyIds">At most <see cref="AccountsRoutes.MaxTurns"/>.</param>
internal sealed record KeyGrantsRequest(IReadOnlyList<string> KeyIds);

/// <param name="Grants">Those of the keys that are valid; a key that is not here was revoked or has expired.</param>
internal sealed record KeyGrantsResponse(IReadOnlyList<KeyGrant> Grants);

/// <summary>What a valid key may use, as patterns.</summary>
internal sealed record KeyGrant(string KeyId, IReadOnlyList<string> Models, IReadOnlyList<string> Accounts)
{
    /// <summary>True if it covers the account, and the model, where there is one.</summary>
    public bool Covers(string? account, string? model) =>
        (account is null || NamePattern.AnyMatches(Accounts, account)) && (model is null || NamePattern.AnyMatches(Models, model));
}

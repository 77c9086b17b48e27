namespace Proxy.Accounts.Contracts;

/// <summary>POST <see cref="AccountsRoutes.CheckKey"/>: 200 with <see cref="CheckedKey"/>, or 404 for a key that is unknown, revoked or expired.</summary>
/// <param name="KeyHash">Lower-case hex SHA-256 of the key: the key itself never leaves the edge.</param>
internal sealed record CheckKeyRequest(string KeyHash);

/// <summary>A valid key.</summary>
/// <param name="Id">The identity under which owners and log rows are kept.</param>
internal sealed record CheckedKey(string Id, string Name);

/// <summary>What an account is wanted for.</summary>
internal enum AdmissionPurpose
{
    /// <summary>A turn: a slot is leased until it is settled, or until its lease ends.</summary>
    Turn,

    /// <summary>A short request or a connection: no slot.</summary>
    Request,
}

/// <summary>POST <see cref="AccountsRoutes.Admit"/>. Idempotent by <paramref name="TurnId"/>: asking again returns the lease already held.</summary>
/// <param name="KeyId">A checked key's id, or <see cref="AccountsRoutes.Anonymous"/>.</param>
/// <param name="Model">Narrows to accounts that serve it.</param>
/// <param name="Domain">A demand: only accounts of this ownership domain will do.</param>
/// <param name="PreferredAccountId">A preference: taken when it has room, never waited for.</param>
/// <param name="ExcludedAccountIds">Accounts that have failed this turn.</param>
/// <param name="NeedsWebSockets">Only accounts that speak WebSocket.</param>
/// <param name="WaitMs">How long the turn may wait for a slot, in milliseconds.</param>
/// <param name="OnlyAccountId">A demand that not even the domain's other accounts can serve: an id that lives on a socket of this account.</param>
/// <param name="MovesFrom">The account whose slot the turn holds and gives up with the answer, if that is another account: the turn is sent once more.</param>
/// <param name="RefreshCredential">Upstream refused the credential: accounts are read anew, whatever version is at hand.</param>
/// <param name="NeedsModel">A model is put to work: a key that may use some models only must not leave the choice to upstream.</param>
internal sealed record AdmissionRequest(
    Guid TurnId, AdmissionPurpose Purpose, string KeyId, string? Model, string? Domain, string? PreferredAccountId,
    IReadOnlyList<string>? ExcludedAccountIds, bool NeedsWebSockets, int WaitMs,
    string? OnlyAccountId = null, string? MovesFrom = null, bool RefreshCredential = false, bool NeedsModel = false);

/// <summary>Exactly one of the two is there.</summary>
internal sealed record AdmissionResponse(AdmittedAccount? Account, AdmissionRefusal? Refusal);

/// <summary>The account a turn was given, with what the edge needs to call it.</summary>
/// <param name="BaseUrl">Everything before <c>/responses</c>, without a slash at the end.</param>
/// <param name="Token">The credential in clear: it is sent upstream and never kept or logged.</param>
/// <param name="LeaseSeconds">The slot is lost when it is not renewed for this long.</param>
internal sealed record AdmittedAccount(
    string Id, string Name, string BaseUrl, string Domain, bool WebSockets, bool Lanes, CredentialKind CredentialKind, string Token, int LeaseSeconds)
{
    /// <summary>Without the token: records print all their members.</summary>
    public override string ToString() => $"{Name} ({BaseUrl})";
}

/// <summary>How an account's credential is shown upstream.</summary>
internal enum CredentialKind
{
    /// <summary><c>Authorization: Bearer</c>.</summary>
    Bearer,

    /// <summary><c>api-key</c>, as Azure OpenAI wants it.</summary>
    Azure,
}

/// <summary>Why no account was given.</summary>
internal enum RefusalReason
{
    /// <summary>The key is unknown, revoked or expired.</summary>
    UnknownKey,

    /// <summary>The key may not use this model.</summary>
    ModelNotAllowed,

    /// <summary>No account is set up, or none is open to the key.</summary>
    NoAccounts,

    /// <summary>Accounts are open to the key, but none serves the model.</summary>
    ModelNotServed,

    /// <summary>None of the accounts that would do speaks WebSocket.</summary>
    NoWebSockets,

    /// <summary>The demanded domain has no account any more, or only disabled ones.</summary>
    OwnerGone,

    /// <summary>The demanded domain's accounts cool down until <see cref="AdmissionRefusal.Until"/>.</summary>
    OwnerCooling,

    /// <summary>Every account cools down; the first is back at <see cref="AdmissionRefusal.Until"/>.</summary>
    AllCooling,

    /// <summary>Every account that would do has failed this turn already.</summary>
    NoOther,

    /// <summary>Every account that would do is at its concurrency cap.</summary>
    AtCapacity,

    /// <summary>The slots cannot be counted just now; they can be again within seconds.</summary>
    Recovering,
}

/// <param name="Until">When it is worth asking again, where that is known.</param>
/// <param name="OfModel">Of those that cool down not all are exhausted as a whole: other models may be served.</param>
internal sealed record AdmissionRefusal(RefusalReason Reason, DateTimeOffset? Until, bool OfModel = false);

/// <summary>POST <see cref="AccountsRoutes.Abandon"/>: the turn is not waited for any more; what it may hold is free.</summary>
internal sealed record AbandonRequest(Guid TurnId);

/// <summary>One held slot.</summary>
internal sealed record SlotLease(Guid TurnId, string AccountId);

/// <summary>POST <see cref="AccountsRoutes.Renew"/>: all leases of one edge, every <see cref="AccountsRoutes.RenewIntervalSeconds"/>.</summary>
internal sealed record RenewRequest(IReadOnlyList<SlotLease> Leases);

/// <param name="Lost">Leases that had ended: their slots may be another turn's by now, so these turns must stop.</param>
internal sealed record RenewResponse(IReadOnlyList<Guid> Lost);

/// <summary>GET <see cref="AccountsRoutes.OpenAccounts"/>: the accounts open to a key.</summary>
internal sealed record OpenAccountsResponse(IReadOnlyList<AdmittedAccount> Accounts, IReadOnlyList<string> AllowedModels, bool SoleKey);

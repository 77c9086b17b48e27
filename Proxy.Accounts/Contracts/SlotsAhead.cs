namespace Proxy.Accounts.Contracts;

/// <summary>
/// POST <see cref="AccountsRoutes.LeaseAhead"/>: slots for turns that are still to come, under the ids which they will have. They are leases like all others: counted, renewed, and free
/// again when they are given back, settled, or not renewed. Given only while nobody waits and half of the account is free.
/// </summary>
/// <param name="TurnIds">At most <see cref="MostTurns"/>, in the order in which they are wanted.</param>
/// <param name="PreferredAccountId">Where the turns before would rather have gone.</param>
internal sealed record LeaseAheadRequest(IReadOnlyList<Guid> TurnIds, string KeyId, string? Model, bool NeedsWebSockets, string? PreferredAccountId)
{
    public const int MostTurns = 64;
}

/// <param name="Version">The state of accounts and keys that this was decided on.</param>
/// <param name="Leases">One for each of the first ids; none where there is no room to spare.</param>
/// <param name="Accounts">The accounts that the leases are on.</param>
internal sealed record LeaseAheadResponse(string Version, IReadOnlyList<SlotLease> Leases, IReadOnlyList<AdmittedAccount> Accounts);

/// <summary>POST <see cref="AccountsRoutes.RenewAhead"/>: all slots that an edge has leased ahead and not used, several times a second.</summary>
/// <param name="Ahead">At most <see cref="AccountsRoutes.MaxTurns"/>.</param>
/// <param name="Begun">Turns that have taken such a slot and still run: from now on they are booked, should their edge die.</param>
internal sealed record RenewAheadRequest(IReadOnlyList<SlotLease> Ahead, IReadOnlyList<BegunTurn> Begun);

/// <summary>A turn that runs in a slot which was leased ahead.</summary>
internal sealed record BegunTurn(Guid TurnId, string AccountId, string KeyId, string? Model);

/// <param name="Version">The state of accounts and keys now: what was decided on another one is to be given back.</param>
/// <param name="Lost">Leases that had ended.</param>
/// <param name="Wanted">Accounts for which somebody waits: slots there are to be given back at once.</param>
internal sealed record RenewAheadResponse(string Version, IReadOnlyList<Guid> Lost, IReadOnlyList<string> Wanted);

/// <summary>POST <see cref="AccountsRoutes.GiveBack"/>: slots whose turn never came.</summary>
/// <param name="Leases">At most <see cref="AccountsRoutes.MaxTurns"/>.</param>
internal sealed record GiveBackRequest(IReadOnlyList<SlotLease> Leases);

namespace Proxy.Accounts.Contracts;

/// <summary>
/// POST <see cref="AccountsRoutes.Prefetch"/>: slots for turns that are still to come, under the ids which they will have. They are leases like all others: counted, renewed, and free
/// again when they are returned, settled, or not renewed. Given only while nobody waits and half of the account is free.
/// </summary>
/// <param name="TurnIds">At most <see cref="MostTurns"/>, in the order in which they are wanted.</param>
/// <param name="PreferredAccountId">The only account to lease on; null where any may do.</param>
internal sealed record PrefetchRequest(IReadOnlyList<Guid> TurnIds, string KeyId, string? Model, bool NeedsWebSockets, string? PreferredAccountId)
{
    public const int MostTurns = 64;
}

/// <param name="Version">The state of accounts and keys that this was decided on.</param>
/// <param name="Leases">One for each of the first ids; none where there is no room to spare.</param>
/// <param name="Accounts">The accounts that the leases are on.</param>
internal sealed record PrefetchResponse(string Version, IReadOnlyList<SlotLease> Leases, IReadOnlyList<AdmittedAccount> Accounts);

/// <summary>POST <see cref="AccountsRoutes.RenewPrefetched"/>: all slots that an edge has prefetched and not used, several times a second.</summary>
/// <param name="Leases">At most <see cref="AccountsRoutes.MaxTurns"/>.</param>
/// <param name="Started">Turns that have taken such a slot and still run: from now on they are booked, should their edge die.</param>
internal sealed record RenewPrefetchedRequest(IReadOnlyList<SlotLease> Leases, IReadOnlyList<StartedTurn> Started);

/// <summary>A turn that runs in a slot which was prefetched.</summary>
internal sealed record StartedTurn(Guid TurnId, string AccountId, string KeyId, string? Model);

/// <param name="Version">The state of accounts and keys now: what was decided on another one is to be returned.</param>
/// <param name="Lost">Leases that had ended.</param>
/// <param name="Wanted">Accounts for which somebody waits: slots there are to be returned at once.</param>
internal sealed record RenewPrefetchedResponse(string Version, IReadOnlyList<Guid> Lost, IReadOnlyList<string> Wanted);

/// <summary>POST <see cref="AccountsRoutes.ReturnSlots"/>: slots whose turn never came.</summary>
/// <param name="Leases">At most <see cref="AccountsRoutes.MaxTurns"/>.</param>
internal sealed record ReturnSlotsRequest(IReadOnlyList<SlotLease> Leases);

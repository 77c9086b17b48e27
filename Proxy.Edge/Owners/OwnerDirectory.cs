using Microsoft.Extensions.Caching.Memory;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;

namespace Proxy.Edge.Owners;

/// <summary>Owners: those this edge has seen minted at hand, all others from the continuity service.</summary>
internal sealed class OwnerDirectory(ContinuityClient continuity, IMemoryCache cache)
{
    // An owner never changes, so this only bounds memory.
    private static readonly TimeSpan OwnerLifetime = TimeSpan.FromHours(1);

    // Other edges may move a scope meanwhile; a stale preference costs a cold prompt cache, no context.
    private static readonly TimeSpan ScopeLifetime = TimeSpan.FromSeconds(30);

    /// <summary>The owners in the order asked and the scope's account, or null when they could not be looked up.</summary>
    public async ValueTask<ResolveResponse?> ResolveAsync(string keyId, TurnScope scope, IReadOnlyList<OwnedId> ids, CancellationToken cancellationToken)
    {
        var owners = new ResolvedOwner?[ids.Count];
        var missing = new List<OwnedId>();
        // One is enough to know who can read a history.
        var isReaderKnown = ids.Any(id => id.Kind == OwnedKinds.Encrypted && Knows(id));
        for (var index = 0; index < ids.Count; index++)
        {
            owners[index] = cache.TryGetValue(OwnerKey(ids[index].Id), out OwnerRecord? owner) && owner is not null ? Answer(ids[index], owner, keyId)
                : isReaderKnown && ids[index].Kind == OwnedKinds.Encrypted ? new ResolvedOwner(ids[index], OwnerOutcome.Unknown, null, null)
                : null;
            if (owners[index] is null)
            {
                missing.Add(ids[index]);
            }
        }
        ScopeAccount? known = null;
        // With an owner at hand the scope's account decides nothing.
        var needsScope = scope.Key is not null && ids.Count == missing.Count && !cache.TryGetValue(ScopeKey(keyId, scope.Key), out known);
        if (missing.Count == 0 && !needsScope)
        {
            return new ResolveResponse(owners!, known?.AccountId, known?.Domain);
        }

        var response = await AskAsync(keyId, needsScope ? scope.Key : null, scope.SessionId, missing.Count > 0 ? SessionKey.Of(keyId, scope)?.Name : null, missing, cancellationToken);
        if (response is null)
        {
            // A preference that could not be asked for is no reason to refuse a turn.
            return missing.All(id => OwnedKinds.IsPreference(id.Kind))
                ? new ResolveResponse([.. owners.Select((owner, index) => owner ?? new ResolvedOwner(ids[index], OwnerOutcome.Unknown, null, null))], null)
                : null;
        }
        for (int index = 0, answer = 0; index < owners.Length; index++)
        {
            owners[index] ??= response.Owners[answer++];
        }
        foreach (var resolved in response.Owners.Where(resolved => resolved.Owner is not null))
        {
            Keep(resolved.Id, resolved.Owner!, scope: null);
        }
        return new ResolveResponse(owners!, known?.AccountId ?? response.ScopeAccountId, known?.Domain ?? response.ScopeDomain);
    }

    /// <summary>True if the owner is at hand.</summary>
    public bool Knows(OwnedId id) => cache.TryGetValue(OwnerKey(id.Id), out _);

    /// <summary>Remembers an owner, unless another is known, and the account as its scope's. An upstream that mints an id which is another key's changes nothing.</summary>
    public void Keep(OwnedId id, OwnerRecord owner, string? scope)
    {
        if (!Knows(id))
        {
            cache.Set(OwnerKey(id.Id), owner, Entry(OwnerLifetime));
        }
        if (scope is not null)
        {
            cache.Set(ScopeKey(owner.KeyId, scope), new ScopeAccount(owner.AccountId, owner.Domain), Entry(ScopeLifetime));
        }
    }

    /// <summary>Forgets an owner that turned out to be none: whose the id is, the continuity service knows.</summary>
    public void Drop(OwnedId id) => cache.Remove(OwnerKey(id.Id));

    // The service takes so many ids in one call.
    private async Task<ResolveResponse?> AskAsync(string keyId, string? scope, string? sessionId, string? session, List<OwnedId> ids, CancellationToken cancellationToken)
    {
        var owners = new List<ResolvedOwner>(ids.Count);
        ResolveResponse? first = null;
        do
        {
            var next = ids.Skip(owners.Count).Take(ContinuityRoutes.MaxIds).ToArray();
            if (await continuity.ResolveAsync(new ResolveRequest(keyId, owners.Count == 0 ? scope : null, next, sessionId, session), cancellationToken) is not { } response
                || response.Owners.Count != next.Length)
            {
                return null;
            }
            owners.AddRange(response.Owners);
            first ??= response;
        }
        while (owners.Count < ids.Count);
        return first with { Owners = owners };
    }

    private static ResolvedOwner Answer(OwnedId id, OwnerRecord owner, string keyId) =>
        owner.KeyId == keyId || OwnedKinds.IsShared(id.Kind) ? new(id, OwnerOutcome.Owner, owner, "edge") : new(id, OwnerOutcome.Foreign, null, "edge");

    private sealed record ScopeAccount(string AccountId, string Domain);

    private static (string, string) OwnerKey(string id) => ("owner", id);

    private static (string, string, string) ScopeKey(string keyId, string scope) => ("scope", keyId, scope);

    private static MemoryCacheEntryOptions Entry(TimeSpan lifetime) => new() { Size = 1, AbsoluteExpirationRelativeToNow = lifetime };
}

using System.Text.Json;
using Proxy.Continuity.Contracts;
using StackExchange.Redis;

namespace Proxy.Continuity.Owners;

/// <summary>The account that served a scope last, and its ownership domain.</summary>
internal sealed record ScopeAlias(string AccountId, string Domain)
{
    /// <summary>
    /// The account's id, a space, its domain (which may hold spaces itself):
    /// <code>01a20efc9f9d7800abde74631ee9ff76 my organisation</code>
    /// Null for anything else.
    /// </summary>
    public static ScopeAlias? Parse(string? text) => text?.Split(' ', 2) is [var accountId, var domain] ? new ScopeAlias(accountId, domain) : null;

    /// <summary>What <see cref="Parse"/> reads.</summary>
    public string Format() => $"{AccountId} {Domain}";
}

/// <summary>Owner and scope aliases in Redis.</summary>
internal sealed class OwnerAliases(IConnectionMultiplexer redis)
{
    // Stored responses live 30 days.
    internal static readonly TimeSpan OwnerLifetime = TimeSpan.FromDays(35);
    internal static readonly TimeSpan TurnStateLifetime = TimeSpan.FromDays(1);
    internal static readonly TimeSpan ScopeLifetime = TimeSpan.FromDays(7);

    /// <summary>The records of all ids and the scope's alias, in one round trip.</summary>
    /// <exception cref="RedisException">Redis cannot be asked.</exception>
    public async Task<(OwnerRecord?[] Owners, ScopeAlias? Scope)> FindAsync(IReadOnlyList<OwnedId> ids, string keyId, string? scope)
    {
        var database = redis.GetDatabase();
        var owners = Task.WhenAll(ids.Select(id => database.StringGetAsync(KeyNames.Owner(id.Id))));
        var alias = scope is null ? Task.FromResult(RedisValue.Null) : database.StringGetAsync(KeyNames.Scope(keyId, scope));
        var values = await owners;
        return ([.. values.Select(Parse)], ScopeAlias.Parse(await alias));
    }

    /// <summary>Keeps the record unless the id has an owner already; returns whether this account is the id's owner now.</summary>
    /// <exception cref="RedisException">Redis cannot be written.</exception>
    public async Task<bool> PublishAsync(OwnedId id, OwnerRecord owner, string? scope)
    {
        var database = redis.GetDatabase();
        var rebound = scope is null ? Task.CompletedTask : database.StringSetAsync(
            KeyNames.Scope(owner.KeyId, scope), new ScopeAlias(owner.AccountId, owner.Domain).Format(), ScopeLifetime);
        var json = JsonSerializer.SerializeToUtf8Bytes(owner, ContinuityJson.Default.OwnerRecord);
        var first = await database.StringSetAsync(KeyNames.Owner(id.Id), json, id.Kind == OwnedKinds.TurnState ? TurnStateLifetime : OwnerLifetime, When.NotExists);
        await rebound;
        return first || (Parse(await database.StringGetAsync(KeyNames.Owner(id.Id))) is { } known && known.AccountId == owner.AccountId && known.KeyId == owner.KeyId);
    }

    private static OwnerRecord? Parse(RedisValue value) =>
        value.IsNull ? null : JsonSerializer.Deserialize(((ReadOnlyMemory<byte>)value).Span, ContinuityJson.Default.OwnerRecord);
}

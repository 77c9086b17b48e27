using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Proxy.Continuity.Contracts;
using StackExchange.Redis;

namespace Proxy.Continuity.Owners;

/// <summary>
/// Owner aliases in Redis. Ids are hashed in key names, so that a key dump names nobody's conversation:
/// <code>
/// continuity:owner:{sha256(id)}               JSON of OwnerRecord, set once, 35 days (stored responses live 30)
/// continuity:scope:{sha256(key ':' scope)} account id, the last one that served the scope, 7 days
/// </code>
/// </summary>
internal sealed class OwnerAliases(IConnectionMultiplexer redis)
{
    internal static readonly TimeSpan OwnerLifetime = TimeSpan.FromDays(35);
    internal static readonly TimeSpan ScopeLifetime = TimeSpan.FromDays(7);

    /// <summary>The records of all ids and the scope's account, in one round trip.</summary>
    /// <exception cref="RedisException">Redis cannot be asked.</exception>
    public async Task<(OwnerRecord?[] Owners, string? ScopeAccountId)> FindAsync(IReadOnlyList<OwnedId> ids, string keyId, string? scope)
    {
        var database = redis.GetDatabase();
        var owners = Task.WhenAll(ids.Select(id => database.StringGetAsync(OwnerKey(id))));
        var account = scope is null ? Task.FromResult(RedisValue.Null) : database.StringGetAsync(ScopeKey(keyId, scope));
        var values = await owners;
        return ([.. values.Select(Parse)], await account);
    }

    /// <summary>Keeps the record unless the id has an owner already; returns whether this account is the id's owner now.</summary>
    /// <exception cref="RedisException">Redis cannot be written.</exception>
    public async Task<bool> PublishAsync(OwnedId id, OwnerRecord owner, string? scope)
    {
        var database = redis.GetDatabase();
        var rebound = scope is null ? Task.CompletedTask : database.StringSetAsync(ScopeKey(owner.KeyId, scope), owner.AccountId, ScopeLifetime);
        var json = JsonSerializer.SerializeToUtf8Bytes(owner, ContinuityJson.Default.OwnerRecord);
        var first = await database.StringSetAsync(OwnerKey(id), json, OwnerLifetime, When.NotExists);
        await rebound;
        return first || (Parse(await database.StringGetAsync(OwnerKey(id))) is { } known && known.AccountId == owner.AccountId && known.KeyId == owner.KeyId);
    }

    private static OwnerRecord? Parse(RedisValue value) =>
        value.IsNull ? null : JsonSerializer.Deserialize(((ReadOnlyMemory<byte>)value).Span, ContinuityJson.Default.OwnerRecord);

    private static RedisKey OwnerKey(OwnedId id) => "continuity:owner:" + Hash(id.Id);

    private static RedisKey ScopeKey(string keyId, string scope) => "continuity:scope:" + Hash($"{keyId}:{scope}");

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}

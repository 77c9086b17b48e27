using System.Text.Json;
using Proxy.Continuity.Contracts;
using Proxy.Continuity.Storage;
using ServiceDefaults.Data;
using StackExchange.Redis;

namespace Proxy.Continuity.Owners;

/// <summary>The account that served a scope last, and its ownership domain.</summary>
internal sealed record ScopeAlias(string AccountId, string Domain)
{
    /// <summary>
    /// The account's id, a space, its domain (which may hold spaces itself), and on a line of its own when the turn was accepted that bound it (ms), which is <c>rebind.lua</c>'s:
    /// <code>
    /// 01a20efc9f9d7800abde74631ee9ff76 my organisation
    /// 1764537600000
    /// </code>
    /// Null for anything else.
    /// </summary>
    public static ScopeAlias? Parse(string? text) => text?.Split('\n', 2)[0].Split(' ', 2) is [var accountId, var domain] ? new ScopeAlias(accountId, domain) : null;

    /// <summary>What <see cref="Parse"/> reads.</summary>
    public string Format() => $"{AccountId} {Domain}";
}

/// <summary>Owner and scope aliases in Redis.</summary>
internal sealed class OwnerAliases(IConnectionMultiplexer redis, TimeProvider time)
{
    // Stored responses live 30 days.
    internal static readonly TimeSpan OwnerLifetime = TimeSpan.FromDays(35);
    internal static readonly TimeSpan TurnStateLifetime = TimeSpan.FromDays(1);
    internal static readonly TimeSpan ScopeLifetime = TimeSpan.FromDays(7);

    private readonly string _rebind = EmbeddedText.Read(typeof(OwnerAliases).Assembly, "rebind.lua");

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

    /// <summary>Keeps the record unless the id has an owner already; returns whether this account is the id's owner now. All goes to Redis in one write.</summary>
    /// <exception cref="RedisException">Redis cannot be written.</exception>
    public async Task<bool> PublishAsync(PublishRequest request)
    {
        var database = redis.GetDatabase();
        var (id, owner) = (request.Id, request.Owner);
        var json = JsonSerializer.SerializeToUtf8Bytes(owner, ContinuityJson.Default.OwnerRecord);
        var others = (request.With ?? []).Select(other => KeepAsync(database, other, json)).ToArray();
        var rebound = request.Scope is { } scope ? RebindAsync(database, KeyNames.Scope(owner.KeyId, scope), owner, request.At ?? time.GetUtcNow()) : Task.CompletedTask;
        var first = await KeepAsync(database, id, json);
        await Task.WhenAll(others);
        await rebound;
        return first || (Parse(await database.StringGetAsync(KeyNames.Owner(id.Id))) is { } known && known.AccountId == owner.AccountId && (known.KeyId == owner.KeyId || OwnedKinds.IsShared(id.Kind)));
    }

    private static Task<bool> KeepAsync(IDatabase database, OwnedId id, byte[] json) =>
        database.StringSetAsync(KeyNames.Owner(id.Id), json, id.Kind == OwnedKinds.TurnState ? TurnStateLifetime : OwnerLifetime, When.NotExists);

    private Task RebindAsync(IDatabase database, RedisKey scope, OwnerRecord owner, DateTimeOffset at) => database.ScriptEvaluateAsync(
        _rebind, [scope], [new ScopeAlias(owner.AccountId, owner.Domain).Format(), at.ToUnixTimeMilliseconds(), (long)ScopeLifetime.TotalMilliseconds]);

    private static OwnerRecord? Parse(RedisValue value) =>
        value.IsNull ? null : JsonSerializer.Deserialize(((ReadOnlyMemory<byte>)value).Span, ContinuityJson.Default.OwnerRecord);
}

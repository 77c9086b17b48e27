using StackExchange.Redis;

namespace Proxy.Accounts.Accounts;

/// <summary>The mark in Redis that changes with every change of accounts and keys. All replicas see it, and every lease of a slot compares it.</summary>
internal sealed class PoolVersion(IConnectionMultiplexer redis)
{
    /// <summary>Its key; it shares the tag <c>{pool}</c> with the slots, so that one script may read both in a cluster.</summary>
    public static readonly RedisKey Key = "accounts:{pool}:version";

    /// <summary>The mark; "0" where there never was a change.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<string> ReadAsync() => (string?)await redis.GetDatabase().StringGetAsync(Key) ?? "0";

    /// <summary>Tells all replicas that accounts or keys have changed.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    // Not a counter: that would repeat its values after Redis was emptied.
    public Task MoveAsync() => redis.GetDatabase().StringSetAsync(Key, Guid.CreateVersion7().ToString("N"));
}

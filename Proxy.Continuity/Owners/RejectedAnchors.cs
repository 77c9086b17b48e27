using Proxy.Continuity.Contracts;
using Proxy.Continuity.Storage;
using StackExchange.Redis;

namespace Proxy.Continuity.Owners;

/// <summary>Anchors of which a key has been told lately that they are dead, in Redis: told so again, its client is to start over.</summary>
internal sealed class RejectedAnchors(IConnectionMultiplexer redis)
{
    internal static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(RejectAnchorResponse.RejectedMinutes);

    /// <summary>Remembers the rejection for a time that counts from the first one; returns whether there was one before.</summary>
    /// <exception cref="RedisException">Redis cannot be written.</exception>
    public async Task<bool> RejectAsync(string keyId, string anchor) =>
        !await redis.GetDatabase().StringSetAsync(KeyNames.RejectedAnchor(keyId, anchor), 1, Lifetime, When.NotExists);
}

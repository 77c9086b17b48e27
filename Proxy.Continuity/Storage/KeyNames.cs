using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace Proxy.Continuity.Storage;

/// <summary>
/// The service's keys in Redis. What clients and upstream have named is hashed, so that a key dump names nobody's conversation:
/// <code>
/// continuity:owner:{sha256(id)}                   JSON of OwnerRecord, set once
/// continuity:scope:{sha256(key ':' scope)}        the account that served the scope last and its domain
/// continuity:rejected:{sha256(key ':' anchor)}    there while the key has been told that the anchor is dead
/// continuity:session:{name}                       hash: holder, epoch, address, lease_until, key, account, domain, turn_state, response, stored
/// </code>
/// </summary>
internal static class KeyNames
{
    public static RedisKey Owner(string id) => "continuity:owner:" + Hash(id);

    public static RedisKey Scope(string keyId, string scope) => "continuity:scope:" + Hash($"{keyId}:{scope}");

    public static RedisKey RejectedAnchor(string keyId, string anchor) => "continuity:rejected:" + Hash($"{keyId}:{anchor}");

    /// <summary>The record of a session, whose name is a hash already.</summary>
    public static RedisKey Session(string name) => "continuity:session:" + name;

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}

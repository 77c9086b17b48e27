using System.Collections.Frozen;
using Proxy.Accounts.Accounts;

namespace Proxy.Accounts.Pool;

/// <summary>All accounts and keys as they were at one version.</summary>
internal sealed class AccountsSnapshot(string version, IReadOnlyList<Account> accounts, IReadOnlyList<ApiKey> keys)
{
    private readonly FrozenDictionary<string, ApiKey> _keysById = keys.ToFrozenDictionary(key => key.Key);
    private readonly FrozenDictionary<string, ApiKey> _keysByHash = keys.ToFrozenDictionary(key => key.Hash);

    public string Version { get; } = version;

    public IReadOnlyList<Account> Accounts { get; } = accounts;

    public IReadOnlyList<ApiKey> Keys { get; } = keys;

    public ApiKey? FindKey(string id) => _keysById.GetValueOrDefault(id);

    public ApiKey? FindKeyByHash(string hash) => _keysByHash.GetValueOrDefault(hash);
}

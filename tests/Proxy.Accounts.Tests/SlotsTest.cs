using Microsoft.Extensions.Options;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Selection;
using StackExchange.Redis;
using Testing.Stores;

namespace Proxy.Accounts.Tests;

/// <summary>A test of the scripts in a Redis of its own, which has been counting for long.</summary>
public abstract class SlotsTest : IDisposable
{
    private protected const string Prefix = "accounts:{pool}:";
    private readonly List<ConnectionMultiplexer> _connections = [];

    private protected RedisStore Redis { get; private set; } = null!;

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        _connections.ForEach(connection => connection.Dispose());
        Redis.Dispose();
    }

    private protected async Task<SlotLeases> OpenAsync(RedisKind kind)
    {
        Redis = await RedisStore.CreateAsync(kind);
        await EndRecoveryAsync();
        return await ConnectAsync();
    }

    /// <summary>A connection of its own: what comes over one connection is served one after another anyway.</summary>
    private protected async Task<SlotLeases> ConnectAsync() => new(await ConnectionAsync(), Options.Create(new AccountsOptions { LeaseSeconds = 60 }));

    /// <summary>Leases for turns to come, over a connection of their own.</summary>
    private protected async Task<PrefetchLeases> OpenPrefetchAsync() => new(await ConnectionAsync(), Options.Create(new AccountsOptions { LeaseSeconds = 60 }));

    private protected async Task<PoolVersion> OpenVersionAsync() => new(await ConnectionAsync());

    private async Task<IConnectionMultiplexer> ConnectionAsync()
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(Redis.ConnectionString);
        lock (_connections)
        {
            _connections.Add(connection);
        }
        return connection;
    }

    /// <summary>As if the server had begun to count long ago.</summary>
    private protected Task EndRecoveryAsync() => Redis.Database.StringSetAsync(Prefix + "generation", "1");

    /// <summary>As if the lease had ended a minute ago.</summary>
    private protected async Task EndAsync(Guid turn, string accountId)
    {
        var ended = TimeProvider.System.GetUtcNow().AddMinutes(-1).ToUnixTimeMilliseconds();
        await Redis.Database.SortedSetAddAsync(Prefix + "slots:" + accountId, turn.ToString("N"), ended);
        await Redis.Database.SortedSetAddAsync(Prefix + "leases", turn.ToString("N"), ended);
    }
}

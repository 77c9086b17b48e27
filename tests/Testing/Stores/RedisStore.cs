using System.Globalization;
using StackExchange.Redis;

namespace Testing.Stores;

/// <summary>A Redis database of a test's own, behind a gate that the test can close.</summary>
public sealed class RedisStore : IDisposable
{
    private readonly SharedRedis _server;
    private readonly int _number;

    private RedisStore(SharedRedis server, int number)
    {
        (_server, _number) = (server, number);
        Gate = new StoreGate(server.Port);
    }

    /// <summary>Makes one; the server is started if it does not run yet.</summary>
    public static async Task<RedisStore> CreateAsync(RedisKind kind = RedisKind.Garnet)
    {
        var server = await SharedRedis.GetAsync(kind);
        return new RedisStore(server, await server.LendDatabaseAsync());
    }

    /// <summary>The way of <see cref="ConnectionString"/>.</summary>
    public StoreGate Gate { get; }

    /// <summary>For the service under test.</summary>
    public string ConnectionString => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Gate.Port},defaultDatabase={_number}");

    /// <summary>The same database for the test, past the gate.</summary>
    public IDatabase Database => _server.Open(_number);

    /// <summary>All keys.</summary>
    public IReadOnlyList<string> Keys => _server.Keys(_number);

    /// <summary>Loses all data.</summary>
    public Task EmptyAsync() => _server.FlushAsync(_number);

    /// <inheritdoc/>
    public void Dispose()
    {
        Gate.Dispose();
        _server.Return(_number);
    }
}

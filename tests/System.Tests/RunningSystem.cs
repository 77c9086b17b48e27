using Npgsql;
using Simulator;
using StackExchange.Redis;
using Testing;
using Testing.Stores;
using Testing.Systems;

namespace WholeSystem;

/// <summary>
/// A whole system (two edges, the services, real stores) in front of a simulator that the tests script.
/// Accounts <c>a</c> and <c>b</c> are open to the keys <see cref="First"/> and <see cref="Second"/>, <c>narrow</c> with its cap of 3 to
/// <see cref="Narrow"/> only.
/// </summary>
public sealed class RunningSystem : IAsyncLifetime
{
    public const string First = "cp-first-0123456789";
    public const string Second = "cp-second-0123456789";
    public const string Narrow = "cp-narrow-0123456789";
    public const int NarrowCap = 3;

    private SimulatorServer? _simulator;
    private Gateway? _gateway;

    public SimulatorServer Simulator => _simulator!;

    public Gateway Gateway => _gateway!;

    /// <summary>A client of an edge.</summary>
    public ApiClient Client(string? key = First, int edge = 0) => new(Gateway.AddressOf(edge), key);

    public Task InitializeAsync() => StartAsync(edges: 2);

    public async Task StartAsync(int edges, RedisKind redis = RedisKind.Garnet)
    {
        _simulator = await SimulatorServer.StartAsync();
        _gateway = await Gateway.StartAsync(new(Seed())
        {
            Edges = edges,
            Redis = redis,
            Configuration = new Dictionary<string, string> { ["Accounts:LeaseSeconds"] = "4" },
        });
    }

    public async Task DisposeAsync()
    {
        if (_gateway is not null)
        {
            await _gateway.DisposeAsync();
        }
        if (_simulator is not null)
        {
            await _simulator.DisposeAsync();
        }
    }

    /// <summary>Kills a resource with SIGKILL and waits until it runs again.</summary>
    public async Task CrashAsync(string resource)
    {
        var former = Gateway.Kill(resource);
        await Gateway.WaitForRestartAsync(resource, former, TimeSpan.FromSeconds(30));
    }

    /// <summary>Waits until an edge serves turns again.</summary>
    public Task UntilServingAsync(string key = First, int edge = 0) => Eventually.TrueAsync(
        async () =>
        {
            using var client = Client(key, edge);
            return (await client.TryCreateAsync("ping")).IsSuccess;
        },
        TimeSpan.FromSeconds(40));

    /// <summary>The value of a query against the log's database.</summary>
    public async Task<T> QueryAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(Gateway.ContinuityDatabase + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>The same, where Postgres may be away.</summary>
    public async Task<T> TryQueryAsync<T>(string sql, T otherwise)
    {
        try
        {
            return await QueryAsync<T>(sql);
        }
        catch (Exception exception) when (exception is IOException
            || (exception is NpgsqlException && exception is not PostgresException)
            // 57P01 to 57P03: shutting down, crashed, or starting.
            || exception is PostgresException { SqlState: "57P01" or "57P02" or "57P03" })
        {
            return otherwise;
        }
    }

    /// <summary>Slots of accounts that turns hold now.</summary>
    public Task<long> CountSlotsAsync() => CountLeasesAsync(endingAfter: TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>Turns that are neither settled nor, where their edge has died, booked as lost: that takes another while after their slots are free.</summary>
    public Task<long> CountUnsettledTurnsAsync() => CountLeasesAsync(endingAfter: double.NegativeInfinity);

    /// <summary>Removes every key of the system's Redis.</summary>
    public async Task EmptyRedisAsync()
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(Gateway.Redis + ",allowAdmin=true");
        await redis.GetDatabase().ExecuteAsync("FLUSHALL");
    }

    // A sorted set: turn -> end of its lease in ms.
    private async Task<long> CountLeasesAsync(double endingAfter)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(Gateway.Redis);
        return await redis.GetDatabase().SortedSetLengthAsync("accounts:{pool}:leases", endingAfter);
    }

    private string Seed()
    {
        string Account(string name, int cap) => $$"""
            {"name":"{{name}}","baseUrl":"{{Simulator.BaseAddress}}v1","credential":{"kind":"bearer","token":"token-{{name}}"},"webSockets":true,"lanes":true,"maxConcurrentTurns":{{cap}}}
            """.Trim();
        return $$"""
            {"accounts":[{{Account("a", 200)}},{{Account("b", 200)}},{{Account("narrow", NarrowCap)}}],
             "apiKeys":[{"name":"first","key":"{{First}}","accounts":["a","b"]},{"name":"second","key":"{{Second}}","accounts":["a","b"]},
                        {"name":"narrow","key":"{{Narrow}}","accounts":["narrow"]}]}
            """;
    }
}

/// <summary>One system for all tests of the assembly, one test class after the other.</summary>
[CollectionDefinition(Name)]
public sealed class SystemCollection : ICollectionFixture<RunningSystem>
{
    public const string Name = "system";
}

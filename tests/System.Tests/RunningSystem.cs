using System.Text;
using Npgsql;
using Simulator;
using StackExchange.Redis;
using Testing;
using Testing.Processes;

namespace WholeSystem;

/// <summary>
/// A whole system as users start it (two edges, the services, real stores) in front of a simulator that the tests script.
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
    private AppHostProcess? _host;

    public SimulatorServer Simulator => _simulator!;

    public AppHostProcess Host => _host!;

    /// <summary>A client of an edge.</summary>
    public ApiClient Client(string? key = First, int edge = 0) => new(Host.AddressOf(edge), key);

    // Whatever else this machine has; the other server gets a test of its own.
    public Task InitializeAsync() => StartAsync("--Stores:RedisServer=garnet");

    public async Task StartAsync(params string[] arguments)
    {
        _simulator = await SimulatorServer.StartAsync();
        _host = await AppHostProcess.StartAsync(["--Edge:Replicas=2", $"--Accounts:Seed={Seed()}", "--Accounts:LeaseSeconds=4", .. arguments]);
    }

    public async Task DisposeAsync()
    {
        if (_host is not null)
        {
            await _host.DisposeAsync();
        }
        if (_simulator is not null)
        {
            await _simulator.DisposeAsync();
        }
    }

    /// <summary>Kills a resource with SIGKILL and waits until the AppHost has it running again.</summary>
    public async Task CrashAsync(string resource)
    {
        var former = Host.Kill(resource);
        await Host.WaitForRestartAsync(resource, former, TimeSpan.FromSeconds(30));
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
        await using var connection = new NpgsqlConnection(ConnectionString("continuitydb") + ";Pooling=false");
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
    public async Task<long> CountSlotsAsync()
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(ConnectionString("redis"));
        return await redis.GetDatabase().SortedSetLengthAsync("accounts:{pool}:leases");
    }

    /// <summary>Removes every key of the system's Redis.</summary>
    public async Task EmptyRedisAsync()
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(ConnectionString("redis") + ",allowAdmin=true");
        await redis.GetDatabase().ExecuteAsync("FLUSHALL");
    }

    /// <summary>What the AppHost has given the continuity service: its stores are nobody else's business, so nothing else tells.</summary>
    private string ConnectionString(string name)
    {
        var prefix = $"ConnectionStrings__{name}=";
        var environment = Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{Host.ProcessOf("continuity")}/environ"));
        return environment.Split('\0').Single(variable => variable.StartsWith(prefix, StringComparison.Ordinal))[prefix.Length..];
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
            """.ReplaceLineEndings(" ");
    }
}

/// <summary>One system for all tests of the assembly, one test class after the other.</summary>
[CollectionDefinition(Name)]
public sealed class SystemCollection : ICollectionFixture<RunningSystem>
{
    public const string Name = "system";
}

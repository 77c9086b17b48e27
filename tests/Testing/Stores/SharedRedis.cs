using System.Collections.Concurrent;
using StackExchange.Redis;

namespace Testing.Stores;

/// <summary>One server of each kind for the test process, started when it is first asked for, in memory only; it lends out its numbered databases.</summary>
internal sealed class SharedRedis
{
    private const int Databases = 128;
    private static readonly ConcurrentDictionary<RedisKind, Lazy<Task<SharedRedis>>> Started = new();

    private readonly RedisServer _server;
    private readonly IConnectionMultiplexer _admin;
    private readonly ConcurrentBag<int> _free = [.. Enumerable.Range(0, Databases)];

    private SharedRedis(RedisServer server, IConnectionMultiplexer admin) => (_server, _admin) = (server, admin);

    /// <summary>The server of this kind in this test process.</summary>
    public static Task<SharedRedis> GetAsync(RedisKind kind) => Started.GetOrAdd(kind, kind => new(() => StartAsync(kind))).Value;

    /// <summary>Its port on 127.0.0.1.</summary>
    public int Port => _server.Port;

    /// <summary>Lends an empty numbered database.</summary>
    public async Task<int> LendDatabaseAsync()
    {
        if (!_free.TryTake(out var number))
        {
            throw new InvalidOperationException($"More than {Databases} tests use Redis at once.");
        }
        await FlushAsync(number);
        return number;
    }

    /// <summary>Takes a database back.</summary>
    public void Return(int number) => _free.Add(number);

    /// <summary>A connection for looking into a database.</summary>
    public IDatabase Open(int number) => _admin.GetDatabase(number);

    /// <summary>All keys of a database.</summary>
    public IReadOnlyList<string> Keys(int number) => [.. _admin.GetServers()[0].Keys(number).Select(key => (string)key!)];

    /// <summary>Empties a database.</summary>
    public Task FlushAsync(int number) => Open(number).ExecuteAsync("FLUSHDB");

    private static async Task<SharedRedis> StartAsync(RedisKind kind)
    {
        var server = await RedisServer.StartAsync(kind, Databases, keepsData: false);
        return new SharedRedis(server, await ConnectionMultiplexer.ConnectAsync(server.ConnectionString + ",allowAdmin=true"));
    }
}

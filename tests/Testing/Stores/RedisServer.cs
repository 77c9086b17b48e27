using System.Collections.Concurrent;
using System.Globalization;
using StackExchange.Redis;

namespace Testing.Stores;

/// <summary>The programs that speak Redis' protocol.</summary>
public enum RedisKind
{
    /// <summary>The .NET tool of the repository's manifest.</summary>
    Garnet,

    /// <summary><c>redis-server</c>, where it is on PATH.</summary>
    Redis,
}

/// <summary>One real server of each kind for the test process, started when it is first asked for, in memory only.</summary>
public sealed class RedisServer
{
    private const int Databases = 128;
    private static readonly ConcurrentDictionary<RedisKind, Lazy<Task<RedisServer>>> Started = new();

    private readonly IConnectionMultiplexer _admin;
    private readonly ConcurrentBag<int> _free = [.. Enumerable.Range(0, Databases)];

    private RedisServer(int port, IConnectionMultiplexer admin) => (Port, _admin) = (port, admin);

    /// <summary>The server of this kind in this test process.</summary>
    public static Task<RedisServer> SharedAsync(RedisKind kind) => Started.GetOrAdd(kind, kind => new(() => StartAsync(kind))).Value;

    /// <summary>True if the machine has this kind.</summary>
    public static bool IsThere(RedisKind kind) => kind == RedisKind.Garnet || SearchPath.Find("redis-server") is not null;

    /// <summary>Its port on 127.0.0.1.</summary>
    public int Port { get; }

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

    private static async Task<RedisServer> StartAsync(RedisKind kind)
    {
        var port = FreePorts.InARow(1);
        var directory = Directory.CreateTempSubdirectory("redis-").FullName;
        var portText = port.ToString(CultureInfo.InvariantCulture);
        var count = Databases.ToString(CultureInfo.InvariantCulture);
        if (kind == RedisKind.Garnet)
        {
            await GuardedProcess.RunAsync(Manifest, ["dotnet", "tool", "restore"]);
        }
        var process = kind == RedisKind.Garnet
            // Without the transaction mode Garnet's scripts are not atomic.
            ? GuardedProcess.Start(directory, "KILL",
                ["dotnet", "tool", "run", "garnet-server", "--", "--port", portText, "--bind", "127.0.0.1", "--lua", "true", "--lua-transaction-mode", "true",
                    "--memory", "64m", "--page", "1m", "--index", "1m", "--max-databases", count], Manifest)
            : GuardedProcess.Start(directory, "KILL",
                ["redis-server", "--port", portText, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--databases", count]);
        try
        {
            var options = new ConfigurationOptions { EndPoints = { { "127.0.0.1", port } }, AllowAdmin = true, ConnectTimeout = 1000, ConnectRetry = 1 };
            IConnectionMultiplexer? admin = null;
            await Eventually.SucceedsAsync(async () => admin = await ConnectionMultiplexer.ConnectAsync(options), TimeSpan.FromSeconds(30));
            return new RedisServer(port, admin!);
        }
        catch (RedisException exception)
        {
            throw new InvalidOperationException($"{kind} does not start: {process.Output}", exception);
        }
    }

    // The directory of the tool manifest, above the test assembly.
    private static string Manifest
    {
        get
        {
            var directory = new DirectoryInfo(AppContext.BaseDirectory);
            while (directory is not null && !File.Exists(Path.Combine(directory.FullName, ".config", "dotnet-tools.json")))
            {
                directory = directory.Parent;
            }
            return directory?.FullName ?? throw new InvalidOperationException("There is no .config/dotnet-tools.json above the tests.");
        }
    }
}

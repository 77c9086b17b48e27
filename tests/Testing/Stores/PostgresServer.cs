using System.Globalization;
using Npgsql;

namespace Testing.Stores;

/// <summary>One real PostgreSQL for the test process, started when it is first asked for. Its durability is off: it ends with the tests.</summary>
public sealed class PostgresServer
{
    private const string Superuser = "postgres";
    private static readonly Lazy<Task<PostgresServer>> Started = new(StartAsync);

    private int _databases;

    private PostgresServer(int port) => Port = port;

    /// <summary>The server of this test process.</summary>
    public static Task<PostgresServer> SharedAsync() => Started.Value;

    /// <summary>Its port on 127.0.0.1.</summary>
    public int Port { get; }

    /// <summary>Makes an empty database and returns its name.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"test_{Interlocked.Increment(ref _databases)}");
        await ExecuteAsync(Port, Superuser, $"CREATE DATABASE {name}");
        return name;
    }

    /// <summary>Removes a database, and those who are connected to it.</summary>
    public Task DropDatabaseAsync(string name) => ExecuteAsync(Port, Superuser, $"DROP DATABASE IF EXISTS {name} WITH (FORCE)");

    /// <summary>A connection string for a database, by way of the given port.</summary>
    public static string ConnectionString(int port, string database, bool pooling = true) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = port,
        Username = Superuser,
        Database = database,
        Pooling = pooling,
        SslMode = SslMode.Disable,
        GssEncryptionMode = GssEncryptionMode.Disable,
        MaxPoolSize = 20,
        Timeout = 5,
    }.ConnectionString;

    private static async Task ExecuteAsync(int port, string database, string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString(port, database, pooling: false));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<PostgresServer> StartAsync()
    {
        var binaries = FindBinaries();
        var port = FreePorts.InARow(1);
        var directory = Directory.CreateTempSubdirectory("postgres-").FullName;
        var data = Path.Combine(directory, "data");
        // PostgreSQL refuses to run as root.
        string[] asUser = [];
        if (Environment.IsPrivilegedProcess)
        {
            var user = File.ReadLines("/etc/passwd").Any(line => line.StartsWith("postgres:", StringComparison.Ordinal)) ? "postgres" : "nobody";
            asUser = ["setpriv", $"--reuid={user}", "--clear-groups"];
            await GuardedProcess.RunAsync(directory, ["chown", user, directory]);
        }
        await GuardedProcess.RunAsync(directory,
            [.. asUser, Path.Combine(binaries, "initdb"), "-D", data, "-U", Superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        var process = GuardedProcess.Start(directory, "QUIT",
        [
            .. asUser, Path.Combine(binaries, "postgres"), "-D", data, "-p", port.ToString(CultureInfo.InvariantCulture), "-h", "127.0.0.1", "-k", "",
            "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=400", "-c", "shared_buffers=64MB",
        ]);
        try
        {
            await Eventually.SucceedsAsync(() => ExecuteAsync(port, Superuser, "SELECT 1"), TimeSpan.FromSeconds(30));
        }
        catch (NpgsqlException exception)
        {
            throw new InvalidOperationException("PostgreSQL does not start: " + process.Output, exception);
        }
        return new PostgresServer(port);
    }

    private static string FindBinaries()
    {
        var newest = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(path => int.TryParse(Path.GetFileName(path), out var version) ? version : 0).Select(path => Path.Combine(path, "bin"))
            : [];
        return SearchPath.Directories.Concat(newest).FirstOrDefault(path => File.Exists(Path.Combine(path, "postgres")) && File.Exists(Path.Combine(path, "initdb")))
            ?? throw new InvalidOperationException("These tests need PostgreSQL (postgres and initdb on PATH, or in /usr/lib/postgresql/*/bin).");
    }
}

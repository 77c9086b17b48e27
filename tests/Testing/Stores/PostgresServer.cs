using System.Globalization;
using Npgsql;
using Testing.Processes;

namespace Testing.Stores;

/// <summary>
/// One real PostgreSQL for the test process, started when it is first asked for, and again when it crashes. What it has committed outlives a crash of its
/// own; it does not wait for the disk, since it ends with the tests.
/// </summary>
internal sealed class PostgresServer
{
    private const string Superuser = "postgres";
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);
    private static readonly Lazy<Task<PostgresServer>> Started = new(StartAsync);

    private int _databases;

    private PostgresServer(RestartingProcess process, int port) => (Process, Port) = (process, port);

    /// <summary>The server of this test process.</summary>
    public static Task<PostgresServer> SharedAsync() => Started.Value;

    /// <summary>The process it is.</summary>
    public RestartingProcess Process { get; }

    /// <summary>Its port on 127.0.0.1.</summary>
    public int Port { get; }

    /// <summary>Makes an empty database, or a copy of another one that nobody is connected to, and returns its name.</summary>
    public async Task<string> CreateDatabaseAsync(string template = "template1")
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"test_{Interlocked.Increment(ref _databases)}");
        await ExecuteAsync(Port, Superuser, $"CREATE DATABASE {name} TEMPLATE {template}");
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
        var directory = StoreDirectory.Create("postgres-");
        var data = Path.Combine(directory, "data");
        // PostgreSQL refuses to run as root.
        string[] asUser = [];
        if (Environment.IsPrivilegedProcess)
        {
            var user = File.ReadLines("/etc/passwd").Any(line => line.StartsWith("postgres:", StringComparison.Ordinal)) ? "postgres" : "nobody";
            asUser = ["setpriv", "--reuid", user, "--clear-groups"];
            await ChildProcess.RunAsync(new Launch("chown", user, directory), StartLimit);
        }
        Launch Command(string program, params string[] arguments)
        {
            string[] command = [.. asUser, Path.Combine(binaries, program), .. arguments];
            return new Launch(command[0], command[1..]) { WorkingDirectory = directory, Directory = directory, EndSignal = EndSignal.Quit };
        }

        await ChildProcess.RunAsync(Command("initdb", "-D", data, "-U", Superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"), StartLimit);
        var process = RestartingProcess.Start("postgres", Command("postgres",
            "-D", data, "-p", port.ToString(CultureInfo.InvariantCulture), "-h", "127.0.0.1", "-k", "",
            "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=400", "-c", "shared_buffers=64MB", "-c", "dynamic_shared_memory_type=mmap", "-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB"));
        try
        {
            await Eventually.SucceedsAsync(() => ExecuteAsync(port, Superuser, "SELECT 1"), StartLimit);
        }
        catch (NpgsqlException exception)
        {
            await process.DisposeAsync();
            throw new InvalidOperationException("PostgreSQL does not start: " + process.Output.Tail(), exception);
        }
        return new PostgresServer(process, port);
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

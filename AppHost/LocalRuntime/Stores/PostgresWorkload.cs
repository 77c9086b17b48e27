using System.Globalization;
using AppHost.LocalRuntime.Hosting;
using AppHost.LocalRuntime.Output;
using AppHost.LocalRuntime.Processes;
using AppHost.Topology;
using Npgsql;

namespace AppHost.LocalRuntime.Stores;

/// <summary>A PostgreSQL server of this machine with its files in the data directory.</summary>
internal sealed class PostgresWorkload(
    PostgresServerResource server, PostgresInstallation installation, string directory, PrefixedLog log, TimeProvider clock) : IWorkload
{
    private readonly string _cluster = Path.Combine(directory, "data");
    private readonly string _passwordFile = Path.Combine(directory, "initial-password");
    private readonly string _pidFile = Path.Combine(directory, "data", "postmaster.pid");
    private UnprivilegedUser? _user;

    public string Name => server.Name;

    public IReadOnlyList<Dependency> Dependencies => [];

    public bool RunsToCompletion => false;

    public async Task<Launch> PrepareAsync(CancellationToken cancellationToken)
    {
        if (_user is null)
        {
            PrivateFile.CreateFolder(directory);
            PrivateFile.Write(_passwordFile, server.Password + "\n");
            _user = await UnprivilegedUser.ForAsync(directory, clock, cancellationToken);
            if (!Directory.Exists(_cluster))
            {
                await InitialiseAsync(_user, cancellationToken);
            }

            File.Delete(_passwordFile);
            CheckVersion();
            RemoveStalePidFile();
        }

        string[] settings =
        [
            "listen_addresses=127.0.0.1", $"port={server.Port}", "unix_socket_directories=", "max_connections=200",
            "logging_collector=off", "log_destination=stderr", "log_checkpoints=off",
        ];
        return _user.Apply(new Launch(installation.Postgres, ["-D", _cluster, .. settings.SelectMany(setting => new[] { "-c", setting })])
        {
            Environment = InheritedEnvironment.Current(),
            WorkingDirectory = directory,

            // Fast shutdown: the polite one would wait for idle connections.
            StopSignal = Signal.Interrupt,
        });
    }

    /// <summary>Healthy means that the server serves and that the databases are there.</summary>
    public async Task<bool> IsHealthyAsync(CancellationToken cancellationToken)
    {
        if (!SaysReady())
        {
            return false;
        }

        try
        {
            await using var connection = new NpgsqlConnection(server.ConnectionStringTo("postgres") + ";Pooling=false");
            await connection.OpenAsync(cancellationToken);
            foreach (var database in server.Databases)
            {
                await EnsureExistsAsync(database.DatabaseName, connection, cancellationToken);
            }

            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    public Task OnHealthyAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static async Task EnsureExistsAsync(string database, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var find = new NpgsqlCommand("SELECT 1 FROM pg_database WHERE datname = $1", connection)
        {
            Parameters = { new() { Value = database } },
        };
        if (await find.ExecuteScalarAsync(cancellationToken) is null)
        {
            await using var create = new NpgsqlCommand($"CREATE DATABASE \"{database}\"", connection);
            _ = await create.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    /// <summary>Makes the cluster beside its place and renames it, so that a start cut short leaves no half of one.</summary>
    private async Task InitialiseAsync(UnprivilegedUser user, CancellationToken cancellationToken)
    {
        var draft = _cluster + ".new";
        if (Directory.Exists(draft))
        {
            Directory.Delete(draft, recursive: true);
        }

        var launch = user.Apply(new Launch(installation.InitDb,
        [
            "-D", draft, "--username", PostgresServerResource.UserName, "--pwfile", _passwordFile, "--auth", "scram-sha-256",
            "--encoding", "UTF8", "--locale", "C", "--no-instructions",
        ])
        {
            Environment = InheritedEnvironment.Current(),
            WorkingDirectory = directory,
        });
        var output = new List<string>();
        using var child = ChildProcess.Start(launch, output.Add, clock);
        if (await child.Exited.WaitAsync(cancellationToken) != 0)
        {
            output.ForEach(line => log.Write(Name, line));
            throw new RunFailedException($"initdb could not make the database cluster in {draft}; its output is above.");
        }

        Directory.Move(draft, _cluster);
    }

    /// <summary>The server keeps its state in the eighth line of this file; asking it over the network too early makes it log an error.</summary>
    private bool SaysReady()
    {
        try
        {
            return File.ReadLines(_pidFile).ElementAtOrDefault(7)?.Trim() == "ready";
        }
        catch (IOException)
        {
            return false;
        }
    }

    private void CheckVersion()
    {
        var made = File.ReadAllText(Path.Combine(_cluster, "PG_VERSION")).Trim();
        var real = Path.GetFileName(Path.GetDirectoryName(installation.Directory));
        if (int.TryParse(real, CultureInfo.InvariantCulture, out var installed) && made != real)
        {
            throw new RunFailedException(
                $"{_cluster} was made by PostgreSQL {made}, but {installation.Directory} is version {installed}; set --Stores:PostgresDirectory to the bin folder of version {made}, or choose another --Data:Directory.");
        }
    }

    /// <summary>
    /// PostgreSQL takes its own stale file away unless the number in it belongs to some process of the same user by now.
    /// The data directory is ours and earlier children have ended, so such a process is a stranger if it is not a server.
    /// </summary>
    private void RemoveStalePidFile()
    {
        if (!File.Exists(_pidFile) || !int.TryParse(File.ReadLines(_pidFile).FirstOrDefault(), CultureInfo.InvariantCulture, out var id))
        {
            return;
        }

        try
        {
            using var process = System.Diagnostics.Process.GetProcessById(id);
            if (process.ProcessName.StartsWith("postgres", StringComparison.Ordinal))
            {
                return;
            }
        }
        catch (Exception gone) when (gone is ArgumentException or InvalidOperationException)
        {
            // Nobody has that number.
        }

        File.Delete(_pidFile);
    }
}

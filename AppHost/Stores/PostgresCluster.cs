using System.Diagnostics;
using System.Globalization;
using AppHost.Configuration;
using AppHost.Processes;
using Microsoft.Extensions.Logging;

namespace AppHost.Stores;

/// <summary>The files of a PostgreSQL server: made once, in a state in which the server can be started.</summary>
/// <param name="installation">The server's programs.</param>
/// <param name="directory">Where the files are; given to the server's user where this process is root.</param>
internal sealed partial class PostgresCluster(PostgresInstallation installation, string directory)
{
    public const string UserName = "postgres";

    private static readonly TimeSpan InitialiseLimit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    private readonly string _data = Path.Combine(directory, "data");
    private readonly Lock _gate = new();
    private Task<UnprivilegedUser>? _user;

    public string Directory => directory;

    /// <summary>Written by the server: its process id in the first line, its state in the eighth.</summary>
    public string ProcessFile { get; } = Path.Combine(directory, "data", "postmaster.pid");

    /// <summary>Whether the server says that it takes connections; asking it over the network too early makes it log an error.</summary>
    public bool SaysReady() => Lines().ElementAtOrDefault(7)?.Trim() == "ready";

    /// <summary>The command that runs the server, but for its port.</summary>
    public async Task<IReadOnlyList<string>> CommandAsync(CancellationToken cancellationToken)
    {
        string[] settings =
        [
            "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200",
            "logging_collector=off", "log_destination=stderr", "log_checkpoints=off",
        ];
        return [.. (await UserAsync(cancellationToken)).Prefix, installation.Postgres, "-D", _data, .. settings.SelectMany(setting => new[] { "-c", setting })];
    }

    /// <summary>Makes the cluster if there is none, and sees to it that no former server uses it.</summary>
    /// <exception cref="StartRefusedException">The server cannot be started on it.</exception>
    public async Task PrepareAsync(string password, ILogger log, CancellationToken cancellationToken)
    {
        if (!System.IO.Directory.Exists(_data))
        {
            PrivateFile.CreateFolder(directory);
            await InitialiseAsync(password, log, cancellationToken);
        }
        CheckVersion();
        await EndFormerServerAsync(cancellationToken);
    }

    /// <summary>Why the server cannot be started on files that are there already, or null.</summary>
    public string? Objection()
    {
        try
        {
            if (System.IO.Directory.Exists(_data))
            {
                CheckVersion();
            }
            return null;
        }
        catch (StartRefusedException refusal)
        {
            return refusal.Message;
        }
    }

    private Task<UnprivilegedUser> UserAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_user is null or { IsFaulted: true } or { IsCanceled: true })
            {
                PrivateFile.CreateFolder(directory);
                _user = UnprivilegedUser.ForAsync(directory, cancellationToken);
            }
            return _user;
        }
    }

    /// <summary>Makes the cluster beside its place and renames it, so that a start cut short leaves no half of one.</summary>
    private async Task InitialiseAsync(string password, ILogger log, CancellationToken cancellationToken)
    {
        var draft = _data + ".new";
        if (System.IO.Directory.Exists(draft))
        {
            System.IO.Directory.Delete(draft, recursive: true);
        }

        var passwordFile = Path.Combine(directory, "initial-password");
        PrivateFile.Write(passwordFile, password + "\n");
        try
        {
            // Looked for anew: it is given the file that has just been written, too.
            var user = await UnprivilegedUser.ForAsync(directory, cancellationToken);
            var run = await ProgramRun.OfAsync(
            [
                .. user.Prefix, installation.InitDb, "-D", draft, "--username", UserName, "--pwfile", passwordFile, "--auth", "scram-sha-256",
                "--encoding", "UTF8", "--locale", "C", "--no-instructions",
            ],
            InitialiseLimit, directory, cancellationToken);
            LogOutput(log, string.Join('\n', run.Output.Concat(run.Errors)));
            if (!run.Succeeded)
            {
                throw new StartRefusedException($"initdb could not make the database cluster in {draft}: {run.LastLine}");
            }
        }
        finally
        {
            File.Delete(passwordFile);
        }

        System.IO.Directory.Move(draft, _data);
    }

    private void CheckVersion()
    {
        var made = File.ReadAllText(Path.Combine(_data, "PG_VERSION")).Trim();
        var real = Path.GetFileName(Path.GetDirectoryName(installation.Directory));
        if (int.TryParse(real, CultureInfo.InvariantCulture, out var installed) && made != real)
        {
            throw new StartRefusedException(
                $"{_data} was made by PostgreSQL {made}, but {installation.Directory} is version {installed}; set --Stores:PostgresDirectory to the bin folder of version {made}, or choose another --Data:Directory.");
        }
    }

    /// <summary>
    /// A server whose parent was killed lives on and would keep the files. And PostgreSQL takes its own stale file away unless the number in it belongs to some
    /// process of the same user by now; the directory is ours, so such a process is a stranger if it is not a server.
    /// </summary>
    private async Task EndFormerServerAsync(CancellationToken cancellationToken)
    {
        if (!int.TryParse(Lines().FirstOrDefault(), CultureInfo.InvariantCulture, out var id))
        {
            return;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(EndLimit);
        while (IsServer(id))
        {
            _ = Signals.Kill(id);
            await Task.Delay(Poll, TimeProvider.System, limit.Token);
        }
        File.Delete(ProcessFile);
    }

    private static bool IsServer(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return !process.HasExited && process.ProcessName.StartsWith("postgres", StringComparison.Ordinal);
        }
        catch (Exception gone) when (gone is ArgumentException or InvalidOperationException)
        {
            return false;
        }
    }

    private string[] Lines()
    {
        try
        {
            return File.ReadAllLines(ProcessFile);
        }
        catch (IOException)
        {
            return [];
        }
    }

    [LoggerMessage(1, LogLevel.Information, "{Output}")]
    private static partial void LogOutput(ILogger log, string output);
}

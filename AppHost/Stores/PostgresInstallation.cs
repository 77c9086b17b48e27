using System.Globalization;
using AppHost.Processes;

namespace AppHost.Stores;

/// <summary>A PostgreSQL server's programs on this machine.</summary>
/// <param name="Directory">The folder with <c>postgres</c> and <c>initdb</c>.</param>
internal sealed record PostgresInstallation(string Directory)
{
    private const string DebianRoot = "/usr/lib/postgresql";

    public const string Missing =
        "No PostgreSQL server found on PATH or under /usr/lib/postgresql; install it (Debian: apt-get install postgresql, macOS: brew install postgresql) or use --Stores:Mode=external.";

    public string Postgres => Path.Combine(Directory, "postgres");

    public string InitDb => Path.Combine(Directory, "initdb");

    /// <summary>The newest installation, or the one in <paramref name="directory"/> (<c>Stores:PostgresDirectory</c>).</summary>
    public static PostgresInstallation Find(string? directory) => string.IsNullOrEmpty(directory)
        ? Find(Environment.GetEnvironmentVariable("PATH") ?? string.Empty, DebianRoot) ?? throw new StartRefusedException(Missing)
        : In(directory) ?? throw new StartRefusedException($"Stores:PostgresDirectory {directory} has no postgres and initdb.");

    /// <summary>The one on <paramref name="path"/>, else the newest version under <paramref name="root"/>.</summary>
    public static PostgresInstallation? Find(string path, string root)
    {
        if (SearchPath.Find("postgres", path) is { } postgres)
        {
            // The programs find their libraries and templates from where they really are.
            var real = File.ResolveLinkTarget(postgres, returnFinalTarget: true)?.FullName ?? postgres;
            if (In(Path.GetDirectoryName(real)!) is { } found)
            {
                return found;
            }
        }

        return System.IO.Directory.Exists(root)
            ? System.IO.Directory.GetDirectories(root)
                .OrderByDescending(folder => double.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var version) ? version : 0)
                .Select(folder => In(Path.Combine(folder, "bin")))
                .FirstOrDefault(found => found is not null)
            : null;
    }

    private static PostgresInstallation? In(string directory)
    {
        var candidate = new PostgresInstallation(directory);
        return File.Exists(candidate.Postgres) && File.Exists(candidate.InitDb) ? candidate : null;
    }
}

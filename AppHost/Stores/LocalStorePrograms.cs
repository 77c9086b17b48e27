using AppHost.Configuration;
using AppHost.Processes;

namespace AppHost.Stores;

/// <summary>The store servers that are installed on this machine.</summary>
internal sealed record LocalStorePrograms(PostgresCluster Postgres, RedisProgram Redis)
{
    /// <summary>Finds them.</summary>
    /// <exception cref="StartRefusedException">One is missing; the message names the package to install.</exception>
    public static async Task<LocalStorePrograms> FindAsync(AppHostSettings settings, CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new StartRefusedException("Stores:Mode=local runs on Linux and macOS; on Windows start a container engine, use WSL, or --Stores:Mode=external.");
        }

        var cluster = new PostgresCluster(
            PostgresInstallation.Find(settings.Configuration["Stores:PostgresDirectory"]), Path.Combine(settings.DataDirectory, DataStoreNames.Postgres));
        if (cluster.Objection() is { } objection)
        {
            throw new StartRefusedException(objection);
        }

        return new(cluster, await RedisProgram.FindAsync(settings.Configuration["Stores:RedisServer"], cancellationToken));
    }
}

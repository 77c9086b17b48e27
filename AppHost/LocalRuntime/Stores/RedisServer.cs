using AppHost.LocalRuntime.Processes;

namespace AppHost.LocalRuntime.Stores;

/// <summary>A server program of the Redis protocol: how to start it, and with which settings it loses no acknowledged write.</summary>
internal abstract class RedisServer
{
    /// <summary><c>redis-server</c> where it is installed, else Garnet; <paramref name="choice"/> (<c>Stores:RedisServer</c>) overrides.</summary>
    public static RedisServer Find(string? choice) => choice switch
    {
        null or "" => SearchPath.Find("redis-server") is { } found ? new RedisBinary(found) : new GarnetTool(),
        "garnet" => new GarnetTool(),
        _ => File.Exists(choice) ? new RedisBinary(choice) : throw new RunFailedException($"Stores:RedisServer {choice} is not a file (nor the word garnet)."),
    };

    /// <summary>
    /// Writes the configuration into <paramref name="directory"/>; the password goes into a file, since it must not be seen in a list of processes.
    /// Says how to start.
    /// </summary>
    public abstract Task<Launch> PrepareAsync(string directory, int port, string password, CancellationToken cancellationToken);
}

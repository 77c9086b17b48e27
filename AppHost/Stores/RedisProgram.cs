using AppHost.Processes;

namespace AppHost.Stores;

/// <summary>A server program of the Redis protocol: how to start it, and with which settings it loses no acknowledged write.</summary>
internal abstract class RedisProgram
{
    /// <summary><c>redis-server</c> where it is installed, else Garnet; <paramref name="choice"/> (<c>Stores:RedisServer</c>) overrides.</summary>
    /// <exception cref="StartRefusedException">There is none.</exception>
    public static async Task<RedisProgram> FindAsync(string? choice, CancellationToken cancellationToken) => choice switch
    {
        null or "" => SearchPath.Find("redis-server") is { } found ? new RedisServerProgram(found) : await GarnetProgram.FindAsync(cancellationToken),
        "garnet" => await GarnetProgram.FindAsync(cancellationToken),
        _ => File.Exists(choice) ? new RedisServerProgram(choice) : throw new StartRefusedException($"Stores:RedisServer {choice} is not a file (nor the word garnet)."),
    };

    /// <summary>The program to start.</summary>
    public abstract string Program { get; }

    /// <summary>Variables it needs.</summary>
    public virtual IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>();

    /// <summary>
    /// Writes the configuration into <paramref name="directory"/> and returns the arguments. The password goes into the file, since it must not be seen in
    /// a list of processes; the port follows the arguments as <c>--port N</c>.
    /// </summary>
    public abstract IReadOnlyList<string> Configure(string directory, string password);
}

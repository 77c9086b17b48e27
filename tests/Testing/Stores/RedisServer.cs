using System.Globalization;
using Testing.Processes;

namespace Testing.Stores;

/// <summary>A real server of Redis' protocol, started again when it crashes.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);

    private readonly string _directory;

    private RedisServer(RestartingProcess process, int port, string directory) => (Process, Port, _directory) = (process, port, directory);

    /// <summary>The process it is.</summary>
    public RestartingProcess Process { get; }

    /// <summary>Its port on 127.0.0.1.</summary>
    public int Port { get; }

    /// <summary>How to connect to it.</summary>
    public string ConnectionString => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    /// <summary>Starts one, and waits until it serves.</summary>
    /// <param name="keepsData">Whether what it has acknowledged outlives a crash.</param>
    public static async Task<RedisServer> StartAsync(RedisKind kind, int databases, bool keepsData)
    {
        var port = FreePorts.InARow(1);
        var directory = StoreDirectory.Create("redis-");
        var launch = await RedisProgram.LaunchAsync(kind, port, directory, databases, keepsData);
        var server = new RedisServer(RestartingProcess.Start("redis", launch), port, directory);
        try
        {
            await Eventually.TrueAsync(() => RedisProgram.AnswersAsync(port), StartLimit);
            return server;
        }
        catch (TimeoutException exception)
        {
            await server.DisposeAsync();
            throw new InvalidOperationException($"{kind} does not start: {server.Process.Output.Tail()}", exception);
        }
    }

    /// <summary>Ends it, and removes its data.</summary>
    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}

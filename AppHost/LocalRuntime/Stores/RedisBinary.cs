using AppHost.LocalRuntime.Processes;
using AppHost.Topology;

namespace AppHost.LocalRuntime.Stores;

/// <summary>The <c>redis-server</c> of this machine.</summary>
internal sealed class RedisBinary(string program) : RedisServer
{
    public override Task<Launch> PrepareAsync(string directory, int port, string password, CancellationToken cancellationToken)
    {
        var files = Path.Combine(directory, "redis");
        _ = Directory.CreateDirectory(files);
        var configuration = Path.Combine(directory, "redis.conf");

        // Redis writes its append-only file before it answers, so kill -9 loses nothing that was acknowledged. Waiting for the disk as well
        // would guard against a machine that loses power, at ten times the latency; Postgres knows what is lost then.
        PrivateFile.Write(configuration, $"""
            bind 127.0.0.1
            port {port}
            requirepass {password}
            dir "{files}"
            appendonly yes
            appendfsync no
            save ""
            daemonize no

            """);
        return Task.FromResult(new Launch(program, [configuration])
        {
            Environment = InheritedEnvironment.Current(),
            WorkingDirectory = directory,
        });
    }
}

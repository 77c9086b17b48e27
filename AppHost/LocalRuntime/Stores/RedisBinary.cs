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
        PrivateFile.Write(configuration, $"""
            bind 127.0.0.1
            port {port}
            requirepass {password}
            dir "{files}"
            appendonly yes
            appendfsync always
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

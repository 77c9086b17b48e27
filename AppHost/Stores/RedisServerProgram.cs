using AppHost.Configuration;

namespace AppHost.Stores;

/// <summary>The <c>redis-server</c> of this machine.</summary>
internal sealed class RedisServerProgram(string program) : RedisProgram
{
    public override string Program => program;

    public override IReadOnlyList<string> Configure(string directory, string password)
    {
        var files = Path.Combine(directory, "redis");
        _ = Directory.CreateDirectory(files);
        var configuration = Path.Combine(directory, "redis.conf");

        // Redis writes its append-only file before it answers, so kill -9 loses nothing that was acknowledged. Waiting for the disk as well
        // would guard against a machine that loses power, at ten times the latency; Postgres knows what is lost then.
        PrivateFile.Write(configuration, $"""
            bind 127.0.0.1
            requirepass {password}
            dir "{files}"
            appendonly yes
            appendfsync no
            save ""
            daemonize no

            """);
        return [configuration];
    }
}

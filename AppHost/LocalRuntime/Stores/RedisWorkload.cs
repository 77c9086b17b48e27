using AppHost.LocalRuntime.Hosting;
using AppHost.LocalRuntime.Processes;
using AppHost.Topology;

namespace AppHost.LocalRuntime.Stores;

/// <summary>A server of the Redis protocol with its files in the data directory.</summary>
internal sealed class RedisWorkload(RedisResource redis, RedisServer server, string directory) : IWorkload
{
    public string Name => redis.Name;

    public IReadOnlyList<Dependency> Dependencies => [];

    public bool RunsToCompletion => false;

    public Task<Launch> PrepareAsync(CancellationToken cancellationToken)
    {
        PrivateFile.CreateFolder(directory);
        return server.PrepareAsync(directory, redis.Port, redis.Password, cancellationToken);
    }

    public Task<bool> IsHealthyAsync(CancellationToken cancellationToken) => RedisPing.AnswersAsync(redis.Port, redis.Password, cancellationToken);

    public Task OnHealthyAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

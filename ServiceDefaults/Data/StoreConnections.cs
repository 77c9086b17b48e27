using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace ServiceDefaults.Data;

/// <summary>The stores as every service uses them, on top of whichever registration the build has chosen.</summary>
public static class StoreConnections
{
    /// <summary>
    /// Redis on the request path: a command to a server that is away fails at once instead of waiting in a backlog,
    /// since the caller has another way (Postgres, or a clear refusal).
    /// </summary>
    public static void AddFailFastRedis(this IHostApplicationBuilder builder, string connectionName)
    {
        builder.Services.AddHostedService<RedisAtStart>();
        builder.AddRedisClient(connectionName, configureOptions: options =>
        {
            options.BacklogPolicy = BacklogPolicy.FailFast;
            options.AsyncTimeout = 1000;
            options.SyncTimeout = 1000;
            options.ConnectTimeout = 1000;
            options.ConnectRetry = 1;
            options.ReconnectRetryPolicy = new LinearRetry(250);
            options.HeartbeatInterval = TimeSpan.FromMilliseconds(500);
            options.AbortOnConnectFail = false;
        });
    }

    /// <summary>Connects before the first request does: connecting blocks, and a burst of first requests would block every thread there is.</summary>
    private sealed class RedisAtStart(IServiceProvider services) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            services.GetRequiredService<IConnectionMultiplexer>();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

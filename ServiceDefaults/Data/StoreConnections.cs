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
    public static void AddFailFastRedis(this IHostApplicationBuilder builder, string connectionName) =>
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

using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

#pragma warning disable IDE0130 // Aspire.StackExchange.Redis has its extension in this namespace; services must not know which of the two they use.
namespace Microsoft.Extensions.Hosting;
#pragma warning restore IDE0130

/// <summary>The same shape as Aspire.StackExchange.Redis' registration, for machines where that package cannot be restored.</summary>
public static class RedisClientRegistration
{
    /// <summary>
    /// Adds an <see cref="IConnectionMultiplexer"/> for <c>ConnectionStrings:{connectionName}</c> with a health check.
    /// A server that is down does not stop the process: the multiplexer connects when the server is back.
    /// </summary>
    public static void AddRedisClient(this IHostApplicationBuilder builder, string connectionName, Action<ConfigurationOptions>? configureOptions = null)
    {
        builder.Services.AddSingleton<IConnectionMultiplexer>(provider =>
        {
            var configuration = provider.GetRequiredService<IConfiguration>();
            var options = ConfigurationOptions.Parse(configuration.GetConnectionString(connectionName) ?? configuration["Aspire:StackExchange:Redis:ConnectionString"]
                ?? throw new InvalidOperationException($"ConnectionStrings:{connectionName} is missing."));
            options.AbortOnConnectFail = false;
            configureOptions?.Invoke(options);
            return ConnectionMultiplexer.Connect(options);
        });
        builder.Services.AddHealthChecks().AddCheck<RedisCheck>("StackExchange.Redis");
    }

    private sealed class RedisCheck(IConnectionMultiplexer redis) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                await redis.GetDatabase().PingAsync().WaitAsync(cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                return HealthCheckResult.Unhealthy();
            }
        }
    }
}

using AppHost.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace AppHost.Stores;

/// <summary>A server of the Redis protocol that is installed on this machine, as a process with its files in the data directory.</summary>
internal sealed class LocalRedisResource(string name, string program, string directory, ParameterResource password)
    : ExecutableResource(name, program, directory), IResourceWithConnectionString
{
    public const string EndpointName = "tcp";

    public EndpointReference Endpoint => field ??= new(this, EndpointName);

    public ParameterResource Password => password;

    /// <summary>In StackExchange.Redis' format. The address and not <c>localhost</c>: the server does not listen on ::1.</summary>
    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"127.0.0.1:{Endpoint.Property(EndpointProperty.Port)},password={password}");

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties()
    {
        yield return new("Host", ReferenceExpression.Create($"127.0.0.1"));
        yield return new("Port", ReferenceExpression.Create($"{Endpoint.Property(EndpointProperty.Port)}"));
        yield return new("Password", ReferenceExpression.Create($"{password}"));
    }
}

/// <summary>Declares it.</summary>
internal static class LocalRedis
{
    /// <summary>Adds the server with its files in <paramref name="directory"/>, on a free port that it keeps when it is started again.</summary>
    public static IResourceBuilder<LocalRedisResource> AddLocalRedis(
        this IDistributedApplicationBuilder builder, string name, RedisProgram program, string directory, IResourceBuilder<ParameterResource> password)
    {
        PrivateFile.CreateFolder(directory);
        var redis = new LocalRedisResource(name, program.Program, directory, password.Resource);
        var check = $"{name}_check";
        string? connectionString = null;
        builder.Services.AddHealthChecks().AddAsyncCheck(check, cancellationToken => PingAsync(connectionString, cancellationToken));
        var server = builder.AddResource(redis)
            .WithEndpoint(name: LocalRedisResource.EndpointName, scheme: "tcp", isProxied: false)
            .WithArgs(async context =>
            {
                foreach (var argument in program.Configure(directory, await password.Resource.GetValueAsync(context.CancellationToken) ?? string.Empty))
                {
                    context.Args.Add(argument);
                }
                context.Args.Add("--port");
                context.Args.Add(redis.Endpoint.Property(EndpointProperty.TargetPort));
            })
            .WithHealthCheck(check)
            .WithIconName("Database")
            .ExcludeFromManifest()
            .OnConnectionStringAvailable(async (resource, _, cancellationToken) =>
                connectionString = await resource.ConnectionStringExpression.GetValueAsync(cancellationToken));
        foreach (var (variable, value) in program.Environment)
        {
            _ = server.WithEnvironment(variable, value);
        }
        return server;
    }

    private static async Task<HealthCheckResult> PingAsync(string? connectionString, CancellationToken cancellationToken)
    {
        if (connectionString is null)
        {
            return HealthCheckResult.Unhealthy("It has no port yet.");
        }

        try
        {
            var options = ConfigurationOptions.Parse(connectionString);
            (options.ConnectTimeout, options.ConnectRetry, options.AbortOnConnectFail) = (2000, 0, true);
            await using var redis = await ConnectionMultiplexer.ConnectAsync(options).WaitAsync(cancellationToken);
            _ = await redis.GetDatabase().PingAsync().WaitAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            return HealthCheckResult.Unhealthy(failure.Message);
        }
    }
}

using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace AppHost.Stores;

/// <summary>The PostgreSQL server that is installed on this machine, as a process with its files in the data directory.</summary>
internal sealed class LocalPostgresResource(string name, string directory, ParameterResource password)
    : ExecutableResource(name, "/bin/sh", directory), IResourceWithConnectionString
{
    public const string EndpointName = "tcp";

    public EndpointReference Endpoint => field ??= new(this, EndpointName);

    public List<LocalDatabaseResource> Databases { get; } = [];

    /// <summary>The administrator's, in Npgsql's format. The address and not <c>localhost</c>: the server does not listen on ::1.</summary>
    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create(
        $"Host=127.0.0.1;Port={Endpoint.Property(EndpointProperty.Port)};Username={PostgresCluster.UserName};Password={password}");

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties()
    {
        yield return new("Host", ReferenceExpression.Create($"127.0.0.1"));
        yield return new("Port", ReferenceExpression.Create($"{Endpoint.Property(EndpointProperty.Port)}"));
        yield return new("Username", ReferenceExpression.Create($"{PostgresCluster.UserName}"));
        yield return new("Password", ReferenceExpression.Create($"{password}"));
    }
}

/// <summary>A database of it and the role of the same name that owns it, made when the server is ready and they are not there yet.</summary>
internal sealed class LocalDatabaseResource(string name, string databaseName, ParameterResource password, LocalPostgresResource parent)
    : Resource(name), IResourceWithParent<LocalPostgresResource>, IResourceWithConnectionString
{
    public LocalPostgresResource Parent => parent;

    public string DatabaseName => databaseName;

    /// <summary>Of the role.</summary>
    public ParameterResource Password => password;

    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create(
        $"Host=127.0.0.1;Port={parent.Endpoint.Property(EndpointProperty.Port)};Username={databaseName};Password={password};Database={databaseName}");
}

/// <summary>Declares them.</summary>
internal static class LocalPostgres
{
    // A polite end waits for all clients; whoever stops the server here wants its fast shutdown.
    private static readonly string FastShutdown = Path.Combine(AppContext.BaseDirectory, "Stores", "fast-shutdown.sh");

    /// <summary>Adds the server on a free port that it keeps when it is started again.</summary>
    public static IResourceBuilder<LocalPostgresResource> AddLocalPostgres(
        this IDistributedApplicationBuilder builder, string name, PostgresCluster cluster, IResourceBuilder<ParameterResource> password)
    {
        var postgres = new LocalPostgresResource(name, cluster.Directory, password.Resource);
        var check = $"{name}_check";
        string? connectionString = null;
        builder.Services.AddHealthChecks().AddAsyncCheck(check, cancellationToken => CheckAsync(cluster, connectionString, cancellationToken));
        return builder.AddResource(postgres)
            .WithEndpoint(name: LocalPostgresResource.EndpointName, scheme: "tcp", isProxied: false)
            .WithArgs(async context =>
            {
                string[] command = [FastShutdown, .. await cluster.CommandAsync(context.CancellationToken)];
                foreach (var argument in command)
                {
                    context.Args.Add(argument);
                }
                context.Args.Add("-p");
                context.Args.Add(postgres.Endpoint.Property(EndpointProperty.TargetPort));
            })
            .WithHealthCheck(check)
            .WithIconName("Database")
            .WithAnnotation(new ProcessFileAnnotation(cluster.ProcessFile))
            .ExcludeFromManifest()
            .OnBeforeResourceStarted(async (resource, started, cancellationToken) => await cluster.PrepareAsync(
                await password.Resource.GetValueAsync(cancellationToken) ?? string.Empty,
                started.Services.GetRequiredService<ResourceLoggerService>().GetLogger(resource), cancellationToken))
            .OnConnectionStringAvailable(async (resource, _, cancellationToken) =>
                connectionString = await resource.ConnectionStringExpression.GetValueAsync(cancellationToken))
            .OnResourceReady(async (resource, ready, cancellationToken) =>
            {
                foreach (var database in resource.Databases)
                {
                    await EnsureAsync(connectionString!, database, cancellationToken);
                    await PublishAsync(ready.Services, database, KnownResourceStates.Running);
                }
            })
            .OnResourceStopped(async (resource, stopped, _) =>
            {
                foreach (var database in resource.Databases)
                {
                    await PublishAsync(stopped.Services, database, KnownResourceStates.Exited);
                }
            });
    }

    /// <summary>Adds a database to the server; <c>ConnectionStrings:{name}</c> for those that reference it.</summary>
    /// <param name="password">Of its owner.</param>
    public static IResourceBuilder<LocalDatabaseResource> AddDatabase(
        this IResourceBuilder<LocalPostgresResource> server, string name, string databaseName, IResourceBuilder<ParameterResource> password)
    {
        var database = new LocalDatabaseResource(name, databaseName, password.Resource, server.Resource);
        server.Resource.Databases.Add(database);
        return server.ApplicationBuilder.AddResource(database).WithIconName("DatabaseStack").ExcludeFromManifest();
    }

    /// <summary>Drops and makes anew a database that nobody but the AppHost uses any more.</summary>
    public static async Task EmptyAsync(this LocalPostgresResource server, CancellationToken cancellationToken)
    {
        var administrator = (await server.ConnectionStringExpression.GetValueAsync(cancellationToken))!;
        await using var connection = await DatabaseOwners.OpenAsync(administrator, "postgres", cancellationToken);
        foreach (var database in server.Databases)
        {
            await using var drop = new NpgsqlCommand($"DROP DATABASE IF EXISTS \"{database.DatabaseName}\" WITH (FORCE)", connection);
            _ = await drop.ExecuteNonQueryAsync(cancellationToken);
            await EnsureAsync(administrator, database, cancellationToken);
        }
    }

    private static async Task EnsureAsync(string administrator, LocalDatabaseResource database, CancellationToken cancellationToken) =>
        await DatabaseOwners.EnsureAsync(administrator, database.DatabaseName, (await database.Password.GetValueAsync(cancellationToken))!, cancellationToken);

    /// <summary>The orchestrator gives a container's children its state, and an executable's children none: what waits for a database would wait for ever.</summary>
    private static Task PublishAsync(IServiceProvider services, LocalDatabaseResource database, string state) =>
        services.GetRequiredService<ResourceNotificationService>().PublishUpdateAsync(database, snapshot => snapshot with { State = state });

    private static async Task<HealthCheckResult> CheckAsync(PostgresCluster cluster, string? connectionString, CancellationToken cancellationToken)
    {
        if (connectionString is null || !cluster.SaysReady())
        {
            return HealthCheckResult.Unhealthy("It is starting.");
        }

        try
        {
            await using var connection = await DatabaseOwners.OpenAsync(connectionString, "postgres", cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (NpgsqlException failure)
        {
            return HealthCheckResult.Unhealthy(failure.Message);
        }
    }
}

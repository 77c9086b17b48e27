using AppHost.Configuration;

namespace AppHost.Stores;

/// <summary>Declares the stores.</summary>
internal static class DataStoreExtensions
{
    private const string ContinuityDatabase = "continuity";
    private const string AccountsDatabase = "accounts";
    private static readonly TimeSpan SnapshotInterval = TimeSpan.FromMinutes(1);

    /// <summary>Stores that run elsewhere, servers of this machine where <paramref name="local"/> has found them, or containers.</summary>
    public static DataStores AddDataStores(this IDistributedApplicationBuilder builder, AppHostSettings settings, LocalStorePrograms? local) =>
        settings.Stores == StoresMode.External ? builder.AddExternalStores()
        : local is not null ? builder.AddLocalStores(settings, local)
        : builder.AddContainers(settings);

    private static DataStores AddExternalStores(this IDistributedApplicationBuilder builder) => new(
        builder.AddConnectionString(DataStoreNames.ContinuityDb),
        builder.AddConnectionString(DataStoreNames.AccountsDb),
        builder.AddConnectionString(DataStoreNames.Redis),
        []);

    private static DataStores AddLocalStores(this IDistributedApplicationBuilder builder, AppHostSettings settings, LocalStorePrograms local)
    {
        var postgres = builder.AddLocalPostgres(DataStoreNames.Postgres, local.Postgres, builder.AddStorePassword(DataStoreNames.Postgres, settings));
        var redis = builder.AddLocalRedis(
            DataStoreNames.Redis, local.Redis, Path.Combine(settings.DataDirectory, DataStoreNames.Redis), builder.AddStorePassword(DataStoreNames.Redis, settings));
        return new(
            postgres.AddDatabase(DataStoreNames.ContinuityDb, ContinuityDatabase, builder.AddStorePassword(DataStoreNames.ContinuityDb, settings)),
            postgres.AddDatabase(DataStoreNames.AccountsDb, AccountsDatabase, builder.AddStorePassword(DataStoreNames.AccountsDb, settings)),
            redis,
            [postgres.Resource, redis.Resource]);
    }

    private static DataStores AddContainers(this IDistributedApplicationBuilder builder, AppHostSettings settings)
    {
        var postgres = builder.AddPostgres(DataStoreNames.Postgres, password: builder.AddStorePassword(DataStoreNames.Postgres, settings)).WithDataVolume();

        // The snapshot only shortens the append-only file, which each write is in before it is acknowledged.
        var redis = builder.AddRedis(DataStoreNames.Redis, password: builder.AddStorePassword(DataStoreNames.Redis, settings))
            .WithDataVolume()
            .WithPersistence(SnapshotInterval)
            .WithAppendOnlyFile();
        return new(
            postgres.AddDatabase(DataStoreNames.ContinuityDb, ContinuityDatabase),
            postgres.AddDatabase(DataStoreNames.AccountsDb, AccountsDatabase),
            redis,
            [postgres.Resource, redis.Resource]);
    }

    /// <summary>
    /// When published, the container's command is one text for a shell (<c>-c "redis-server --requirepass $REDIS_PASSWORD ..."</c>): a further argument would
    /// be the shell's, and Redis would never see it.
    /// </summary>
    private static IResourceBuilder<RedisResource> WithAppendOnlyFile(this IResourceBuilder<RedisResource> redis) => redis.WithArgs(context =>
    {
        string[] arguments = ["--appendonly", "yes", "--appendfsync", "always"];
        if (context.ExecutionContext.IsPublishMode)
        {
            context.Args[^1] = $"{context.Args[^1]} {string.Join(' ', arguments)}";
            return;
        }
        foreach (var argument in arguments)
        {
            context.Args.Add(argument);
        }
    });

    /// <summary>Kept with the other secrets of the data directory; a deployment makes its own.</summary>
    private static IResourceBuilder<ParameterResource> AddStorePassword(this IDistributedApplicationBuilder builder, string store, AppHostSettings settings)
    {
        var name = $"{store}-password";
        return builder.ExecutionContext.IsPublishMode
            ? builder.AddParameter(name, SecretFile.Generated, secret: true)
            : builder.AddParameter(name, SecretFile.ReadOrCreate(Path.Combine(settings.SecretsDirectory, name), SecretFile.NewToken), secret: true);
    }
}

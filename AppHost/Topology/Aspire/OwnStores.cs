namespace AppHost.Topology;

/// <summary>The stores of the Aspire back end: containers in a run, managed services in a deployment that has them.</summary>
internal static class OwnStores
{
    private static readonly TimeSpan SnapshotInterval = TimeSpan.FromMinutes(1);

    public static DataStores AddOwnStores(this IDistributedApplicationBuilder builder) =>
        builder.ExecutionContext.IsPublishMode ? builder.AddManagedStores() : builder.AddContainers();

    public static DataStores AddContainers(this IDistributedApplicationBuilder builder)
    {
        var postgres = builder.AddPostgres("postgres").WithDataVolume();

        // Each write is in the append-only file before it is acknowledged; the snapshot only shortens that file.
        var redis = builder.AddRedis("redis")
            .WithDataVolume()
            .WithPersistence(SnapshotInterval)
            .WithArgs("--appendonly", "yes", "--appendfsync", "always");
        return new(postgres.AddDatabase("continuitydb", "continuity"), postgres.AddDatabase("accountsdb", "accounts"), redis);
    }
}

namespace AppHost.Topology;

/// <summary>The stores of the local runtime: server processes whose files live in the data directory.</summary>
internal static class OwnStores
{
    public static DataStores AddOwnStores(this IDistributedApplicationBuilder builder)
    {
        var postgres = builder.AddPostgres("postgres");
        return new(
            postgres.AddDatabase("continuitydb", "continuity"),
            postgres.AddDatabase("accountsdb", "accounts"),
            builder.AddRedis("redis"));
    }
}

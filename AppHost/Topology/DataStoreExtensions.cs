namespace AppHost.Topology;

/// <summary>Declares the stores.</summary>
internal static class DataStoreExtensions
{
    /// <summary>Stores that run elsewhere where connection strings are given, else the ones this back end brings.</summary>
    public static DataStores AddDataStores(this IDistributedApplicationBuilder builder, TopologySettings settings) =>
        settings.Stores == StoresMode.External
            ? new(
                builder.AddConnectionString("continuitydb"),
                builder.AddConnectionString("accountsdb"),
                builder.AddConnectionString("redis"))
            : builder.AddOwnStores();
}

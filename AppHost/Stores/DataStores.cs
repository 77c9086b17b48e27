namespace AppHost.Stores;

/// <summary>The two databases and the Redis that the services use.</summary>
/// <param name="Servers">The servers behind them, where this system starts them.</param>
internal sealed record DataStores(
    IResourceBuilder<IResourceWithConnectionString> ContinuityDb,
    IResourceBuilder<IResourceWithConnectionString> AccountsDb,
    IResourceBuilder<IResourceWithConnectionString> Redis,
    IReadOnlyList<IResource> Servers);

/// <summary>What the stores are called in the model and in connection strings.</summary>
internal static class DataStoreNames
{
    public const string Postgres = "postgres";
    public const string Redis = "redis";
    public const string ContinuityDb = "continuitydb";
    public const string AccountsDb = "accountsdb";
}

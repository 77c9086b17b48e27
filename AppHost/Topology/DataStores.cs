namespace AppHost.Topology;

/// <summary>The two databases and the Redis that the services use.</summary>
internal sealed record DataStores(
    IResourceBuilder<IResourceWithConnectionString> ContinuityDb,
    IResourceBuilder<IResourceWithConnectionString> AccountsDb,
    IResourceBuilder<IResourceWithConnectionString> Redis);

namespace AppHost.Topology;

/// <summary>A build without the Azure packages runs, and writes a manifest with containers as stores.</summary>
internal static class ComputeEnvironment
{
    /// <summary>Nothing: there is no Azure to deploy to in this build.</summary>
    public static void AddComputeEnvironment(this IDistributedApplicationBuilder builder) => _ = builder;

    public static DataStores AddManagedStores(this IDistributedApplicationBuilder builder) => builder.AddContainers();

    /// <summary>Nothing: only a compute environment knows jobs.</summary>
    public static IResourceBuilder<ProjectResource> PublishAsJob(this IResourceBuilder<ProjectResource> job) => job;

    /// <summary>Nothing: only a compute environment scales.</summary>
    public static IResourceBuilder<ProjectResource> PublishAsSingleReplica(this IResourceBuilder<ProjectResource> service) => service;
}

namespace AppHost.Topology;

/// <summary>Deployment is a matter of the Aspire back end.</summary>
internal static class ComputeEnvironment
{
    /// <summary>Nothing: the local runtime only runs.</summary>
    public static void AddComputeEnvironment(this IDistributedApplicationBuilder builder) => _ = builder;

    /// <summary>Nothing: here a job is a process that others wait for.</summary>
    public static IResourceBuilder<ProjectResource> PublishAsJob(this IResourceBuilder<ProjectResource> job) => job;

    /// <summary>Nothing: here an edge is one process anyway.</summary>
    public static IResourceBuilder<ProjectResource> PublishAsSingleReplica(this IResourceBuilder<ProjectResource> service) => service;
}

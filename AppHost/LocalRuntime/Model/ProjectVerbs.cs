namespace Aspire.Hosting;

/// <summary>The verbs about projects.</summary>
public static class ProjectVerbs
{
    public static IResourceBuilder<ProjectResource> AddProject(this IDistributedApplicationBuilder builder, string name, string projectPath) =>
        builder.AddResource(new ProjectResource(name, projectPath));

    public static IResourceBuilder<ProjectResource> WithArgs(this IResourceBuilder<ProjectResource> builder, params string[] args)
    {
        builder.Resource.Arguments.AddRange(args);
        return builder;
    }

    public static IResourceBuilder<ProjectResource> WithHttpEndpoint(
        this IResourceBuilder<ProjectResource> builder, int? port = null, string name = "http", bool isProxied = true)
    {
        // There is no proxy in front of a process here, so both kinds of endpoint are the process's own.
        _ = isProxied;
        builder.Resource.Endpoint = new(name, port ?? FreePort.Next(), port is not null);
        return builder;
    }

    /// <summary>Nothing: the local runtime listens on the loopback address only.</summary>
    public static IResourceBuilder<ProjectResource> WithExternalHttpEndpoints(this IResourceBuilder<ProjectResource> builder) => builder;

    public static IResourceBuilder<ProjectResource> WithHttpHealthCheck(this IResourceBuilder<ProjectResource> builder, string path)
    {
        builder.Resource.HealthPath = path;
        return builder;
    }

    public static EndpointReference GetEndpoint(this IResourceBuilder<IResourceWithServiceDiscovery> builder, string name) =>
        builder.Resource.GetEndpoint(name);

    public static IResourceBuilder<ProjectResource> OnResourceReady(
        this IResourceBuilder<ProjectResource> builder, Func<ProjectResource, ResourceReadyEvent, CancellationToken, Task> callback)
    {
        builder.Resource.ReadyHandlers.Add(callback);
        return builder;
    }
}

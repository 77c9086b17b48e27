namespace AppHost.Topology;

/// <summary>The one address that a deployment shows to the outside.</summary>
internal static class Entrance
{
    private const int Port = 8080;

    /// <summary>
    /// When published: the edge itself where there is one, else a balancer in front of them all. Edges are projects of their own, since each holds sessions and its peers
    /// must be able to address it, and it alone.
    /// </summary>
    /// <remarks>Caddy's <c>reverse-proxy</c> needs no configuration file, streams events at once, and passes upgrades on.</remarks>
    public static void AddEntrance(this IDistributedApplicationBuilder builder, IReadOnlyList<IResourceBuilder<ProjectResource>> edges)
    {
        if (!builder.ExecutionContext.IsPublishMode)
        {
            return;
        }

        if (edges.Count == 1)
        {
            _ = edges[0].WithEndpoint(ServiceExtensions.Http, endpoint => endpoint.IsExternal = true);
            return;
        }

        var entrance = builder.AddContainer("entrance", "docker.io/library/caddy", "2.10")
            .WithHttpEndpoint(targetPort: Port, name: ServiceExtensions.Http)
            .WithExternalHttpEndpoints()
            .WithArgs("caddy", "reverse-proxy", "--from", $":{Port}", "--change-host-header");
        foreach (var edge in edges)
        {
            _ = entrance.WithArgs(context =>
            {
                context.Args.Add("--to");
                context.Args.Add(edge.GetEndpoint(ServiceExtensions.Http));
            });
        }
    }
}

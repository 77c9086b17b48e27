namespace AppHost.Topology;

/// <summary>Tells the user that the system answers, and where.</summary>
internal static class ReadyAnnouncement
{
    /// <summary>Prints the addresses once every edge is healthy.</summary>
    public static void AnnounceWhenReady(
        this IDistributedApplicationBuilder builder, IReadOnlyList<IResourceBuilder<ProjectResource>> edges, TopologySettings settings)
    {
        if (builder.ExecutionContext.IsPublishMode)
        {
            return;
        }

        var awaited = edges.Count;
        foreach (var edge in edges)
        {
            _ = edge.OnResourceReady((_, _, _) =>
            {
                if (Interlocked.Decrement(ref awaited) == 0)
                {
                    Console.Out.Write(Text(settings));
                }

                return Task.CompletedTask;
            });
        }
    }

    /// <summary>The announcement, in lines.</summary>
    public static string Text(TopologySettings settings)
    {
        var address = $"http://localhost:{settings.Edges[0].Port}";
        var others = string.Concat(settings.Edges.Skip(1).Select(edge => $"  {edge.Name}: http://localhost:{edge.Port}\n"));
        return $"Ready: {address}\n{others}  Upstream: {settings.Seed.Upstream}\n  Admin: {address}/admin/v1\n  Admin token: {SecretParameters.AdminTokenPlace(settings)}\n";
    }
}

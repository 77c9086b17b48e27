namespace AppHost.Topology;

/// <summary>The variables that lead outgoing requests through a proxy.</summary>
internal static class OutboundProxies
{
    private static readonly string[] Names =
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"];

    /// <summary>Hands them on where that is asked for; the local runtime lets no child inherit them.</summary>
    public static IResourceBuilder<ProjectResource> WithOutboundProxies(
        this IResourceBuilder<ProjectResource> project, TopologySettings settings)
    {
        foreach (var name in settings.InheritProxyVariables ? Names : [])
        {
            if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } value)
            {
                _ = project.WithEnvironment(name, value);
            }
        }

        return project;
    }
}

namespace AppHost.Topology;

/// <summary>The variables that lead outgoing requests through a proxy, and the key that the seed is made from.</summary>
internal static class OutboundProxies
{
    private static readonly string[] Names =
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"];

    /// <summary>Empties what the orchestrator would let a child inherit; the proxy stays only where that is asked for.</summary>
    public static IResourceBuilder<ProjectResource> WithOutboundProxies(
        this IResourceBuilder<ProjectResource> project, TopologySettings settings)
    {
        if (project.ApplicationBuilder.ExecutionContext.IsPublishMode)
        {
            return project;
        }

        foreach (var name in settings.InheritProxyVariables ? [] : Names)
        {
            _ = project.WithEnvironment(name, string.Empty);
        }

        return project.WithEnvironment("OPENAI_API_KEY", string.Empty);
    }
}

using AppHost.Preparation;
using AppHost.Stores;
using AppHost.Topology;

namespace AppHost.Commands;

/// <summary>All commands that resources have in the dashboard, in <c>aspire resource NAME COMMAND</c>, and for agents over MCP.</summary>
internal static class OperatorCommands
{
    /// <summary>Adds them.</summary>
    /// <param name="edges">The edges, which can be drained.</param>
    /// <param name="accounts">The accounts service, which makes keys and ends cool-downs.</param>
    /// <param name="continuity">The other user of the stores, for the reset of local data.</param>
    /// <param name="stores">The stores; local ones can be emptied.</param>
    public static void AddOperatorCommands(
        this IDistributedApplicationBuilder builder, IReadOnlyList<IResourceBuilder<ProjectResource>> edges,
        IResourceBuilder<ProjectResource> accounts, IResourceBuilder<ProjectResource> continuity, DataStores stores, PreparedStart start, Secrets secrets)
    {
        if (builder.ExecutionContext.IsPublishMode)
        {
            return;
        }

        foreach (var edge in edges)
        {
            _ = edge.WithDrainCommand(secrets);
        }
        _ = accounts.WithApiKeyCommand(secrets).WithClearCoolDownCommand(secrets);

        if (stores.Servers is [LocalPostgresResource postgres, LocalRedisResource redis])
        {
            builder.CreateResourceBuilder(postgres).WithResetDataCommand(
                redis, [[.. edges.Select(edge => edge.Resource)], [continuity.Resource, accounts.Resource]],
                [.. builder.Resources.Where(resource => resource.HasAnnotationOfType<JobAnnotation>())], start.Settings);
        }
    }
}

using AppHost.Configuration;
using AppHost.Preparation;
using AppHost.Topology;
using Microsoft.Extensions.DependencyInjection;

namespace AppHost.Lifecycle;

/// <summary>Tells the user that the system answers, and where.</summary>
internal static class ReadyAnnouncement
{
    private static readonly TimeSpan DashboardLimit = TimeSpan.FromSeconds(10);

    /// <summary>Prints the addresses once all of <paramref name="services"/> are healthy for the first time; the dashboard's link and <c>Ready</c> come last.</summary>
    public static void AnnounceWhenReady(
        this IDistributedApplicationBuilder builder, IReadOnlyList<IResourceBuilder<ProjectResource>> services, PreparedStart start)
    {
        var awaited = services.Select(service => service.Resource.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var service in services)
        {
            _ = service.OnResourceReady(async (resource, ready, cancellationToken) =>
            {
                bool isLast;
                lock (awaited)
                {
                    isLast = awaited.Remove(resource.Name) && awaited.Count == 0;
                }
                if (isLast && ready.Services.GetRequiredService<RunOutcome>().Succeed())
                {
                    var dashboard = await DashboardLinkAsync(ready.Services, builder.Configuration["AppHost:BrowserToken"], cancellationToken);
                    Console.Out.Write(Text(start, dashboard));
                }
            });
        }
    }

    /// <summary>The announcement, in lines.</summary>
    public static string Text(PreparedStart start, string? dashboard)
    {
        var settings = start.Settings;
        var address = $"http://localhost:{settings.Edges[0].Port}";
        var others = string.Concat(settings.Edges.Skip(1).Select(edge => $"  {edge.Name}: http://localhost:{edge.Port}\n"));
        var upstream = settings.Seed.IsGiven ? $"{start.Seed} ({settings.Seed.Source})" : $"the simulator ({AccountSeed.None.Source})";
        return $"{others}  Upstream: {upstream}\n  Admin: {address}/admin/v1\n  Admin token: {SecretParameters.AdminTokenPlace(settings)}\n"
            + (dashboard is null ? "" : $"Dashboard: {dashboard}\n")
            + $"Ready: {address}\n";
    }

    private static async Task<string?> DashboardLinkAsync(IServiceProvider services, string? token, CancellationToken cancellationToken)
    {
        var model = services.GetRequiredService<DistributedApplicationModel>();
        if (model.Resources.OfType<IResourceWithEndpoints>().FirstOrDefault(resource => resource.Name == ResourceWatcher.DashboardName) is not { } dashboard)
        {
            return null;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(DashboardLimit);
        try
        {
            _ = await services.GetRequiredService<ResourceNotificationService>().WaitForResourceHealthyAsync(ResourceWatcher.DashboardName, limit.Token);
            var url = await dashboard.GetEndpoint("http").GetValueAsync(limit.Token);
            return string.IsNullOrEmpty(token) ? url : $"{url}/login?t={token}";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The system is ready without it.
            return null;
        }
    }
}

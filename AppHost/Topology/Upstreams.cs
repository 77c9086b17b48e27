using AppHost.Configuration;
using AppHost.Preparation;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AppHost.Topology;

/// <summary>Declares what stands behind the accounts.</summary>
internal static class Upstreams
{
    private const string SeedVariable = "Accounts__Seed";
    private const string SeedFileVariable = "Accounts__SeedFile";
    private const string Simulator = "simulator";

    // A pool of thousands of accounts has few servers behind it; whoever has more looks at the accounts, not at these.
    private const int MostServers = 16;
    private static readonly TimeSpan CheckLimit = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The accounts the system starts with. A deployment asks for the seed as a secret; a run without any starts the upstream simulator, so that the first request
    /// works with nothing configured.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithUpstreams(this IResourceBuilder<ProjectResource> accounts, PreparedStart start)
    {
        var builder = accounts.ApplicationBuilder;
        if (builder.ExecutionContext.IsPublishMode)
        {
            return accounts.WithEnvironment(SeedVariable, builder.AddParameter("accounts-seed", secret: true));
        }

        if (start.SeedFile is not { } file)
        {
            return accounts.WithSimulator(start.Settings);
        }

        foreach (var server in start.Seed.Servers.Take(MostServers))
        {
            _ = builder.AddUpstream(server);
        }
        return accounts.WithEnvironment(SeedFileVariable, file);
    }

    private static IResourceBuilder<ProjectResource> WithSimulator(this IResourceBuilder<ProjectResource> accounts, AppHostSettings settings)
    {
        var simulator = accounts.ApplicationBuilder.AddBuiltProject(Simulator, ProjectFiles.Simulator, settings)
            .WithHttpEndpoint(name: ServiceExtensions.Http)
            .WithHttpHealthCheck("/health")
            .WithConfigured(settings.Configuration, "Logging", "Simulator")
            .WithUrlForEndpoint(ServiceExtensions.Http, url => url.DisplayText = "Simulated upstream")
            .WithIconName("Bot");
        return accounts
            .WithEnvironment(async context =>
                context.EnvironmentVariables[SeedVariable] = AccountSeed.ForSimulator((await simulator.GetEndpoint(ServiceExtensions.Http).GetValueAsync(context.CancellationToken))!))
            .WaitFor(simulator);
    }

    /// <summary>A server that answers counts as healthy, whatever it answers: the AppHost shows no credential to it.</summary>
    private static IResourceBuilder<ExternalServiceResource> AddUpstream(this IDistributedApplicationBuilder builder, Uri server)
    {
        var name = NameOf(server);
        var check = $"{name}_check";
        builder.Services.AddHealthChecks().AddAsyncCheck(check, cancellationToken => CheckAsync(server, cancellationToken));
        return builder.AddExternalService(name, server).WithHealthCheck(check).WithIconName("Cloud");
    }

    /// <summary><c>upstream-api-openai-com</c>: a resource's name has letters, digits and single hyphens, and at most 64 of them.</summary>
    internal static string NameOf(Uri server)
    {
        var host = new string([.. server.IdnHost.Select(letter => char.IsAsciiLetterOrDigit(letter) ? char.ToLowerInvariant(letter) : '-')]);
        var text = server.IsDefaultPort ? host : $"{host}-{server.Port}";
        var name = string.Join('-', $"upstream-{text}".Split('-', StringSplitOptions.RemoveEmptyEntries));
        return name.Length <= 63 ? name : $"{name[..50].TrimEnd('-')}-{(uint)StringComparer.Ordinal.GetHashCode(name) % 100_000}";
    }

    private static async Task<HealthCheckResult> CheckAsync(Uri server, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { Timeout = CheckLimit };
        try
        {
            using var answer = await http.GetAsync(server, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return HealthCheckResult.Healthy($"It answers ({(int)answer.StatusCode}).");
        }
        catch (Exception failure) when (failure is HttpRequestException or OperationCanceledException)
        {
            return HealthCheckResult.Unhealthy($"It does not answer: {failure.Message}");
        }
    }
}

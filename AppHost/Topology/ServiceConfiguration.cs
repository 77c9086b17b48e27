using Microsoft.Extensions.Configuration;

namespace AppHost.Topology;

/// <summary>Hands configuration given to the AppHost on to the service that it belongs to.</summary>
internal static class ServiceConfiguration
{
    /// <summary>The AppHost's own, and what travels in another way: the seed as an absolute path, the keys as a parameter.</summary>
    private static readonly string[] Kept = ["Edge:Port", "Edge:InternalPort", "Edge:Replicas", "Accounts:Seed", "Accounts:SeedFile", "Accounts:EncryptionKeys"];

    /// <summary>The configuration sections that belong to a service.</summary>
    public static string[] SectionsOf(string service) => service switch
    {
        "edge" => ["Edge", "Recovery", "Sessions", "Continuity", "Drain", "Logging"],
        "continuity" => ["Continuity", "Logging"],
        "accounts" => ["Accounts", "Logging"],
        _ => ["Logging"],
    };

    /// <summary>The variables that carry <paramref name="sections"/> to a child.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Variables(IConfiguration configuration, params string[] sections) =>
        from section in sections
        from entry in configuration.GetSection(section).AsEnumerable()
        where entry.Value is not null && !Kept.Contains(entry.Key, StringComparer.OrdinalIgnoreCase)
        select KeyValuePair.Create(entry.Key.Replace(":", "__", StringComparison.Ordinal), entry.Value);

    public static IResourceBuilder<ProjectResource> WithConfigured(
        this IResourceBuilder<ProjectResource> project, IConfiguration configuration, params string[] sections)
    {
        foreach (var (name, value) in Variables(configuration, sections))
        {
            _ = project.WithEnvironment(name, value);
        }

        return project;
    }

    public static IResourceBuilder<ProjectResource> WithEnvironmentName(
        this IResourceBuilder<ProjectResource> project, IDistributedApplicationBuilder builder) =>
        project
            .WithEnvironment("ASPNETCORE_ENVIRONMENT", builder.Environment.EnvironmentName)
            .WithEnvironment("DOTNET_ENVIRONMENT", builder.Environment.EnvironmentName);
}

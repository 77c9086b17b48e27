using System.Globalization;
using AppHost.Configuration;

namespace AppHost.Topology;

/// <summary>Declares the services and the jobs they wait for.</summary>
internal static class ServiceExtensions
{
    public const string Http = "http";

    /// <summary>The endpoint of an edge that only other edges and operators call.</summary>
    public const string Internal = "internal";

    private const int PublishedInternalPort = 9090;
    private const string Health = "/health";
    private const string OtlpEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string MigrateAtStart = "Migrations__AtStart";

    /// <summary>The <c>migrate</c> mode of a service as a job: it brings the database up to date and ends.</summary>
    public static IResourceBuilder<ProjectResource> AddMigrations(
        this IDistributedApplicationBuilder builder, string name, string project, IResourceBuilder<IResourceWithConnectionString> database, AppHostSettings settings) =>
        builder.AddBuiltProject(name, project, settings)
            .WithArgs("migrate")
            .WithConfigured(settings.Configuration, "Logging")
            .WithReference(database)
            .WaitFor(database)
            .WithParentRelationship(database.Resource)
            .WithIconName("DatabaseArrowUp")
            .WithAnnotation(new JobAnnotation())
            .WithHiddenOnCompletion(0);

    /// <summary>A service that only other services call, with its database brought up to date before it is started.</summary>
    /// <remarks>
    /// A published manifest carries neither jobs nor what waits for what, so there the service migrates by itself before it listens; any number of instances may do so
    /// at once.
    /// </remarks>
    public static IResourceBuilder<ProjectResource> AddService(
        this IDistributedApplicationBuilder builder, string name, string project, IResourceBuilder<IResourceWithConnectionString> database,
        AppHostSettings settings, Secrets secrets)
    {
        var service = builder.AddBuiltProject(name, project, settings)
            .WithHttpEndpoint(name: Http)
            .WithHttpHealthCheck(Health)
            .WithConfigured(settings.Configuration, ServiceConfiguration.SectionsOf(name))
            .WithEnvironment("Internal__Token", secrets.InternalToken)
            .WithReference(database)
            .WithUrlForEndpoint(Http, url => url.DisplayText = "Internal API")
            .WithHealthUrl();
        return builder.ExecutionContext.IsPublishMode
            ? service.WithEnvironment(MigrateAtStart, "true")
            : service.WaitForCompletion(builder.AddMigrations($"{name}-migrations", project, database, settings));
    }

    /// <summary>An edge: it owns its ports, and peers reach it, and only it, at the address it advertises, which is that of the internal one.</summary>
    public static IResourceBuilder<ProjectResource> AddEdge(
        this IDistributedApplicationBuilder builder, EdgeAddress address, AppHostSettings settings, Secrets secrets)
    {
        var publishing = builder.ExecutionContext.IsPublishMode;
        var edge = builder.AddBuiltProject(address.Name, ProjectFiles.Edge, settings)
            .WithHttpEndpoint(port: publishing ? null : address.Port, name: Http, isProxied: false)
            .WithEndpoint(port: publishing ? null : address.InternalPort, targetPort: publishing ? PublishedInternalPort : null, scheme: Http, name: Internal, isProxied: false)
            // It listens there by itself.
            .WithEndpointsInEnvironment(endpoint => endpoint.Name != Internal)
            .WithHttpHealthCheck(Health)
            .WithConfigured(settings.Configuration, ServiceConfiguration.SectionsOf("edge"))
            .WithEnvironment("Internal__Token", secrets.InternalToken)
            .WithEnvironment("Edge__Id", address.Name)
            .WithEnvironment("Edge__InternalPort", (publishing ? PublishedInternalPort : address.InternalPort).ToString(CultureInfo.InvariantCulture))
            .WithEnvironment("Edge__SpoolDirectory", publishing ? "/tmp/spool" : Path.Combine(settings.DataDirectory, address.Name, "spool"))
            .WithIconName("Globe")
            .WithUrlForEndpoint(Http, url => (url.Url, url.DisplayText) = ($"{url.Url.TrimEnd('/')}/v1", "API"))
            .WithUrlForEndpoint(Http, endpoint => new ResourceUrlAnnotation { Url = $"{endpoint.Url}/admin/v1/openapi.json", DisplayText = "Admin API (OpenAPI)" })
            .WithUrlForEndpoint(Internal, url => url.DisplayText = "Internal API")
            .WithHealthUrl();
        return publishing
            ? edge.WithEnvironment("Edge__AdvertisedAddress", edge.GetEndpoint(Internal))
            : edge.WithEnvironment("Edge__AdvertisedAddress", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{address.InternalPort}"));
    }

    /// <summary>
    /// A project of this solution, launched from what the build has made: <c>dotnet run</c> for each would take longer than all the rest of the start. Under an IDE's
    /// debug session, and in a manifest, it stays a project.
    /// </summary>
    public static IResourceBuilder<ProjectResource> AddBuiltProject(
        this IDistributedApplicationBuilder builder, string name, string file, AppHostSettings settings)
    {
        var project = builder.AddProject(name, file, options => options.ExcludeLaunchProfile = true)
            .WithEnvironmentName(builder)
            .WithoutCertificate();
        if (builder.ExecutionContext.IsPublishMode)
        {
            return project;
        }

        if (!settings.HasDashboard)
        {
            _ = project.WithEnvironment(WithoutTelemetryToNobody);
        }

        if (Environment.GetEnvironmentVariable("DEBUG_SESSION_PORT") is null && BuiltPrograms.Of(file) is { } program)
        {
            _ = project
                .WithAnnotation(new ExecutableAnnotation { Command = BuiltPrograms.DotnetHost, WorkingDirectory = Path.GetDirectoryName(program)! })
                .WithArgs(context => context.Args.Insert(0, program));
        }
        return project;
    }

    /// <summary>The orchestrator names the dashboard's address also where there is no dashboard, and each process would then take ten seconds more to end, waiting for it.</summary>
    private static void WithoutTelemetryToNobody(EnvironmentCallbackContext context)
    {
        if (Environment.GetEnvironmentVariable(OtlpEndpoint) is { Length: > 0 } collector)
        {
            context.EnvironmentVariables[OtlpEndpoint] = collector;
            return;
        }

        _ = context.EnvironmentVariables.Remove(OtlpEndpoint);
    }

    private static IResourceBuilder<ProjectResource> WithHealthUrl(this IResourceBuilder<ProjectResource> project) =>
        project.WithUrlForEndpoint(Http, endpoint => new ResourceUrlAnnotation { Url = $"{endpoint.Url}{Health}", DisplayText = "Health" });

    // Services speak plain HTTP on this machine; without this the orchestrator warns that there is no developer certificate.
    private static IResourceBuilder<ProjectResource> WithoutCertificate(this IResourceBuilder<ProjectResource> project) =>
#pragma warning disable ASPIRECERTIFICATES001
        project.WithoutHttpsCertificate();
#pragma warning restore ASPIRECERTIFICATES001
}

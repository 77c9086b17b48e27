namespace AppHost.Topology;

/// <summary>Declares the services and the jobs they wait for.</summary>
internal static class ServiceExtensions
{
    private const string Health = "/health";
    private const string Http = "http";

    /// <summary>The <c>migrate</c> mode of a service as a job: it brings the database up to date and ends.</summary>
    public static IResourceBuilder<ProjectResource> AddMigrations(
        this IDistributedApplicationBuilder builder,
        string name,
        string project,
        IResourceBuilder<IResourceWithConnectionString> database,
        TopologySettings settings) =>
        builder.AddProject(name, project)
            .WithArgs("migrate")
            .WithConfigured(settings.Configuration, "Logging")
            .WithEnvironmentName(builder)
            .WithReference(database)
            .WaitFor(database)
            .PublishAsJob();

    /// <summary>A service that only other services call.</summary>
    public static IResourceBuilder<ProjectResource> AddService(
        this IDistributedApplicationBuilder builder, string name, string project, TopologySettings settings, Secrets secrets) =>
        builder.AddProject(name, project)
            .WithHttpEndpoint(name: Http)
            .WithHttpHealthCheck(Health)
            .WithConfigured(settings.Configuration, ServiceConfiguration.SectionsOf(name))
            .WithOutboundProxies(settings)
            .WithEnvironmentName(builder)
            .WithEnvironment("Internal__Token", secrets.InternalToken);

    /// <summary>An edge: it owns its port, and peers reach it, and only it, at the address it advertises.</summary>
    public static IResourceBuilder<ProjectResource> AddEdge(
        this IDistributedApplicationBuilder builder, EdgeAddress address, TopologySettings settings, Secrets secrets)
    {
        var publishing = builder.ExecutionContext.IsPublishMode;
        var edge = builder.AddProject(address.Name, ProjectFiles.Edge)
            .WithHttpEndpoint(port: publishing ? null : address.Port, name: Http, isProxied: false)
            .WithExternalHttpEndpoints()
            .WithHttpHealthCheck(Health)
            .WithConfigured(settings.Configuration, ServiceConfiguration.SectionsOf("edge"))
            .WithOutboundProxies(settings)
            .WithEnvironmentName(builder)
            .WithEnvironment("Internal__Token", secrets.InternalToken)
            .WithEnvironment("Edge__Id", address.Name)
            .WithEnvironment("Edge__SpoolDirectory", publishing ? "/spool" : Path.Combine(settings.DataDirectory, address.Name, "spool"))
            .PublishAsSingleReplica();
        return edge.WithEnvironment("Edge__AdvertisedAddress", edge.GetEndpoint(Http));
    }

    /// <summary>
    /// The accounts the system starts with. A deployment asks for the seed document as a secret; a run without any starts
    /// the upstream simulator, so that the first request works with nothing configured.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithAccountSeed(this IResourceBuilder<ProjectResource> accounts, TopologySettings settings)
    {
        const string Variable = "Accounts__Seed";
        const string Parameter = "accounts-seed";
        var builder = accounts.ApplicationBuilder;
        if (builder.ExecutionContext.IsPublishMode)
        {
            return accounts.WithEnvironment(Variable, builder.AddParameter(Parameter, secret: true));
        }

        if (settings.Seed.Document is { } document)
        {
            return accounts.WithEnvironment(Variable, builder.AddParameter(Parameter, document, secret: true));
        }

        var simulator = builder.AddProject("simulator", ProjectFiles.Simulator)
            .WithHttpEndpoint(name: Http)
            .WithHttpHealthCheck(Health)
            .WithConfigured(settings.Configuration, "Logging", "Simulator")
            .WithEnvironmentName(builder);
        var endpoint = simulator.GetEndpoint(Http);
        return accounts
            .WithEnvironment(context => context.EnvironmentVariables[Variable] = AccountSeed.ForSimulator(endpoint.Url))
            .WaitFor(simulator);
    }
}

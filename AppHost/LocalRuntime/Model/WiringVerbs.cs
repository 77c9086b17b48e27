namespace Aspire.Hosting;

/// <summary>The verbs that tie resources together.</summary>
public static class WiringVerbs
{
    public static IResourceBuilder<ProjectResource> WithEnvironment(
        this IResourceBuilder<ProjectResource> builder, Action<EnvironmentCallbackContext> callback)
    {
        builder.Resource.EnvironmentCallbacks.Add(callback);
        return builder;
    }

    public static IResourceBuilder<ProjectResource> WithEnvironment(this IResourceBuilder<ProjectResource> builder, string name, string? value) =>
        builder.WithEnvironment(context => context.EnvironmentVariables[name] = value ?? string.Empty);

    public static IResourceBuilder<ProjectResource> WithEnvironment(
        this IResourceBuilder<ProjectResource> builder, string name, IResourceBuilder<ParameterResource> parameter) =>
        builder.WithEnvironment(name, parameter.Resource.Value);

    public static IResourceBuilder<ProjectResource> WithEnvironment(
        this IResourceBuilder<ProjectResource> builder, string name, EndpointReference endpoint) =>
        builder.WithEnvironment(name, endpoint.Url);

    public static IResourceBuilder<ProjectResource> WithReference(
        this IResourceBuilder<ProjectResource> builder, IResourceBuilder<IResourceWithConnectionString> source) =>
        builder.WithEnvironment($"ConnectionStrings__{source.Resource.Name}", source.Resource.ConnectionString);

    public static IResourceBuilder<ProjectResource> WithReference(
        this IResourceBuilder<ProjectResource> builder, IResourceBuilder<IResourceWithServiceDiscovery> source) =>
        builder.WithEnvironment($"services__{source.Resource.Name}__http__0", source.GetEndpoint("http"));

    /// <summary>Starts the resource once <paramref name="dependency"/> is healthy.</summary>
    public static IResourceBuilder<ProjectResource> WaitFor(this IResourceBuilder<ProjectResource> builder, IResourceBuilder<IResource> dependency)
    {
        var name = dependency.Resource is PostgresDatabaseResource database ? database.Parent.Name : dependency.Resource.Name;
        builder.Resource.Dependencies.Add(new(name, Completion: false));
        return builder;
    }

    /// <summary>Starts the resource once <paramref name="dependency"/> has ended with exit code 0.</summary>
    public static IResourceBuilder<ProjectResource> WaitForCompletion(
        this IResourceBuilder<ProjectResource> builder, IResourceBuilder<IResource> dependency)
    {
        builder.Resource.Dependencies.Add(new(dependency.Resource.Name, Completion: true));
        return builder;
    }
}

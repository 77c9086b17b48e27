namespace Aspire.Hosting.ApplicationModel;

/// <summary>A .NET project that runs as a process.</summary>
public sealed class ProjectResource(string name, string projectPath) : Resource(name), IResourceWithServiceDiscovery
{
    internal string ProjectPath { get; } = projectPath;

    internal List<string> Arguments { get; } = [];

    internal List<Action<EnvironmentCallbackContext>> EnvironmentCallbacks { get; } = [];

    internal List<Dependency> Dependencies { get; } = [];

    internal List<Func<ProjectResource, ResourceReadyEvent, CancellationToken, Task>> ReadyHandlers { get; } = [];

    internal EndpointReference? Endpoint { get; set; }

    internal string? HealthPath { get; set; }

    public EndpointReference GetEndpoint(string name) =>
        Endpoint is { } endpoint && endpoint.EndpointName == name
            ? endpoint
            : throw new InvalidOperationException($"{Name} has no endpoint '{name}'.");
}

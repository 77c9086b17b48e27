namespace AppHost.Topology;

/// <summary>The secret parameters that the services share.</summary>
internal sealed record Secrets(
    IResourceBuilder<ParameterResource> InternalToken,
    IResourceBuilder<ParameterResource> AdminToken,
    IResourceBuilder<ParameterResource> EncryptionKeys);

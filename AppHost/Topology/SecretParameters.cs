namespace AppHost.Topology;

/// <summary>Declares the secret parameters.</summary>
internal static class SecretParameters
{
    public const string AdminToken = "admin-token";

    /// <summary>
    /// Each secret is <c>Parameters:NAME</c> where that is given. Otherwise a run makes it and keeps it in a file of the
    /// data directory; a deployment asks for it.
    /// </summary>
    public static Secrets AddSecrets(this IDistributedApplicationBuilder builder, TopologySettings settings) => new(
        builder.AddSecret("internal-token", SecretFile.NewToken, settings),
        builder.AddSecret(AdminToken, SecretFile.NewToken, settings),
        builder.AddSecret("encryption-keys", SecretFile.NewEncryptionKey, settings));

    private static IResourceBuilder<ParameterResource> AddSecret(
        this IDistributedApplicationBuilder builder, string name, Func<string> create, TopologySettings settings)
    {
        if (builder.ExecutionContext.IsPublishMode || !string.IsNullOrEmpty(settings.Configuration[$"Parameters:{name}"]))
        {
            return builder.AddParameter(name, secret: true);
        }

        var value = SecretFile.ReadOrCreate(Path.Combine(settings.SecretsDirectory, name), create);
        return builder.AddParameter(name, value, secret: true);
    }
}

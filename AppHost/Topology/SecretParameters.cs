namespace AppHost.Topology;

/// <summary>Declares the secret parameters.</summary>
internal static class SecretParameters
{
    private const string AdminToken = "admin-token";
    private const string AdminTokenKey = "Admin:Token";

    /// <summary>Where a user finds the admin token.</summary>
    public static string AdminTokenPlace(TopologySettings settings) =>
        new[] { $"Parameters:{AdminToken}", AdminTokenKey }.FirstOrDefault(key => !string.IsNullOrEmpty(settings.Configuration[key])) is { } key
            ? $"{key} as configured"
            : Path.Combine(settings.SecretsDirectory, AdminToken);

    /// <summary>
    /// Each secret is <c>Parameters:NAME</c> where that is given, or the key by which the services know it. Otherwise a run
    /// makes it and keeps it in a file of the data directory; a deployment asks for it.
    /// </summary>
    public static Secrets AddSecrets(this IDistributedApplicationBuilder builder, TopologySettings settings) => new(
        builder.AddSecret("internal-token", "Internal:Token", SecretFile.NewToken, settings),
        builder.AddSecret(AdminToken, AdminTokenKey, SecretFile.NewToken, settings),
        builder.AddSecret("encryption-keys", "Accounts:EncryptionKeys", SecretFile.NewEncryptionKey, settings));

    private static IResourceBuilder<ParameterResource> AddSecret(
        this IDistributedApplicationBuilder builder, string name, string key, Func<string> create, TopologySettings settings)
    {
        if (builder.ExecutionContext.IsPublishMode || !string.IsNullOrEmpty(settings.Configuration[$"Parameters:{name}"]))
        {
            return builder.AddParameter(name, secret: true);
        }

        if (settings.Configuration[key] is { Length: > 0 } given)
        {
            return builder.AddParameter(name, given, secret: true);
        }

        var value = SecretFile.ReadOrCreate(Path.Combine(settings.SecretsDirectory, name), create);
        return builder.AddParameter(name, value, secret: true);
    }
}

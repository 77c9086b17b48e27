using AppHost.Configuration;

namespace AppHost.Topology;

/// <summary>Declares the secret parameters.</summary>
internal static class SecretParameters
{
    private const string AdminToken = "admin-token";
    private const string AdminTokenKey = "Admin:Token";

    /// <summary>Where a user finds the admin token.</summary>
    public static string AdminTokenPlace(AppHostSettings settings) =>
        new[] { $"Parameters:{AdminToken}", AdminTokenKey }.FirstOrDefault(key => !string.IsNullOrEmpty(settings.Configuration[key])) is { } key
            ? $"{key} as configured"
            : Path.Combine(settings.SecretsDirectory, AdminToken);

    /// <summary>
    /// Each secret is <c>Parameters:NAME</c> where that is given, or the key by which the services know it. Otherwise a run makes it and keeps it in a file of the data
    /// directory (parameters that the orchestrator generates and keeps are made anew at each start outside Development); a deployment makes the tokens and asks for the keys.
    /// </summary>
    public static Secrets AddSecrets(this IDistributedApplicationBuilder builder, AppHostSettings settings) => new(
        builder.AddSecret("internal-token", "Internal:Token", SecretFile.NewToken, settings, SecretFile.Generated),
        builder.AddSecret(AdminToken, AdminTokenKey, SecretFile.NewToken, settings, SecretFile.Generated),
        builder.AddSecret("encryption-keys", "Accounts:EncryptionKeys", SecretFile.NewEncryptionKey, settings, generated: null));

    private static IResourceBuilder<ParameterResource> AddSecret(
        this IDistributedApplicationBuilder builder, string name, string key, Func<string> create, AppHostSettings settings, ParameterDefault? generated)
    {
        if (builder.ExecutionContext.IsPublishMode)
        {
            return generated is null ? builder.AddParameter(name, secret: true) : builder.AddParameter(name, generated, secret: true);
        }

        return new[] { $"Parameters:{name}", key }.Select(place => settings.Configuration[place]).FirstOrDefault(value => !string.IsNullOrEmpty(value)) is { } given
            ? builder.AddParameter(name, given, secret: true)
            : builder.AddParameter(name, SecretFile.ReadOrCreate(Path.Combine(settings.SecretsDirectory, name), create), secret: true);
    }
}

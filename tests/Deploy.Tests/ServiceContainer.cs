namespace Deploy.Tests;

/// <summary>A container of one of our services as a deployment starts it, with stand-ins for secrets.</summary>
/// <param name="Name">Where it is from: <c>kubernetes/edge</c>, <c>compose/edge-0</c>.</param>
/// <param name="Service">What it runs: <c>edge</c>, <c>continuity</c> or <c>accounts</c>.</param>
/// <param name="Migrates">Whether it only migrates.</param>
/// <param name="Environment">Its variables, expanded.</param>
/// <param name="Helpers">Those that are there for others to be made of.</param>
/// <param name="GraceSeconds">From the wish that it ends to its being killed.</param>
/// <param name="SleepSeconds">What passes before it is told.</param>
internal sealed record ServiceContainer(
    string Name,
    string Service,
    bool Migrates,
    IReadOnlyDictionary<string, string> Environment,
    IReadOnlySet<string> Helpers,
    double GraceSeconds,
    double SleepSeconds)
{
    public const string ImagePrefix = "continuity-proxy/";

    /// <summary>Every one there is, by name.</summary>
    public static IReadOnlyDictionary<string, ServiceContainer> All { get; } =
        Manifests.Containers.Concat(Compose.Containers).ToDictionary(container => container.Name, StringComparer.Ordinal);

    /// <summary>A value that the services take for the secret of that name.</summary>
    public static string StandInFor(string secret) => secret.ToLowerInvariant().Replace('_', '-') switch
    {
        "internal-token" or "admin-token" or "postgres-password" or "redis-password" or "continuity-db-password" or "accounts-db-password" => new string('x', 32),
        "encryption-keys" => "k1:" + Convert.ToBase64String(new byte[32]),
        "continuitydb" or "accountsdb" => "Host=127.0.0.1",
        "redis" => "127.0.0.1:1",
        _ => throw new ArgumentOutOfRangeException(nameof(secret), secret, "There is no stand-in for this secret."),
    };
}

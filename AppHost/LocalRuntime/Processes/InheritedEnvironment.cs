using System.Collections;

namespace AppHost.LocalRuntime.Processes;

/// <summary>The part of the AppHost's own environment that children get.</summary>
internal static class InheritedEnvironment
{
    // Credentials and proxies must not travel unseen, and what is configuration here is handed on explicitly.
    private static readonly HashSet<string> Withheld = new(StringComparer.OrdinalIgnoreCase)
    {
        "OPENAI_API_KEY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY",
        "ASPNETCORE_URLS", "ASPNETCORE_HTTP_PORTS", "ASPNETCORE_HTTPS_PORTS", "DOTNET_URLS", "DOTNET_HTTP_PORTS", "URLS",
        "ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT", "DOTNET_LAUNCH_PROFILE", "OTEL_SERVICE_NAME",
    };

    private static readonly string[] WithheldSections =
    [
        "Accounts", "Admin", "Aspire", "ConnectionStrings", "Continuity", "Data", "Drain", "Edge", "Internal", "LocalRuntime",
        "Logging", "Parameters", "Recovery", "services", "Sessions", "Simulator", "Stores", "Upstream",
    ];

    public static Dictionary<string, string> Current() => Filter(
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Select(entry => KeyValuePair.Create((string)entry.Key, (string?)entry.Value ?? string.Empty)));

    public static Dictionary<string, string> Filter(IEnumerable<KeyValuePair<string, string>> variables) =>
        variables.Where(variable => !IsWithheld(variable.Key)).ToDictionary(StringComparer.Ordinal);

    private static bool IsWithheld(string name) =>
        Withheld.Contains(name)
        || name.StartsWith("ASPIRE_", StringComparison.OrdinalIgnoreCase)
        || WithheldSections.Any(section => name.StartsWith(section + "__", StringComparison.OrdinalIgnoreCase));
}

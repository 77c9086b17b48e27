using System.Collections;

namespace AppHost.Configuration;

/// <summary>What the AppHost's own environment must not hand to its children, unseen.</summary>
internal static class InheritedEnvironment
{
    private static readonly HashSet<string> Proxies = new(StringComparer.OrdinalIgnoreCase) { "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY" };

    // A credential, and what would lead a child to another address than its own.
    private static readonly HashSet<string> Withheld = new(StringComparer.OrdinalIgnoreCase)
    {
        "OPENAI_API_KEY", "ASPNETCORE_HTTP_PORTS", "ASPNETCORE_HTTPS_PORTS", "DOTNET_URLS", "DOTNET_HTTP_PORTS", "URLS", "OTEL_SERVICE_NAME",
    };

    // What is configuration here is handed on by the model, to the service that it belongs to.
    private static readonly string[] Sections =
    [
        "Accounts", "Admin", "ConnectionStrings", "Continuity", "Data", "Drain", "Edge", "Internal",
        "Logging", "Parameters", "Recovery", "services", "Sessions", "Simulator", "Stores", "Upstream",
    ];

    /// <summary>
    /// Takes it out of this process' environment: the orchestrator and all that it starts inherit what is left. The configuration has been read by then.
    /// </summary>
    public static void Withhold(bool keepProxies)
    {
        foreach (var name in Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(entry => (string)entry.Key).Where(name => IsWithheld(name, keepProxies)))
        {
            Environment.SetEnvironmentVariable(name, null);
        }
    }

    public static bool IsWithheld(string name, bool keepProxies) =>
        Withheld.Contains(name)
        || (!keepProxies && Proxies.Contains(name))
        || Sections.Any(section => name.StartsWith(section + "__", StringComparison.OrdinalIgnoreCase));
}

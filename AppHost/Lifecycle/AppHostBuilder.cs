using Microsoft.Extensions.Configuration;

namespace AppHost.Lifecycle;

/// <summary>The orchestrator as this AppHost uses it.</summary>
internal static class AppHostBuilder
{
    // Each is what the orchestrator needs to start with nothing configured, or to say no more than what a user can act on; what is given wins.
    private static readonly Dictionary<string, string?> Defaults = new()
    {
        // The dashboard on a free port: its link is printed, and two systems run side by side.
        ["ASPNETCORE_URLS"] = "http://localhost:0",
        ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",

        // The AppHost returns when all that it started is gone, so that the next start finds ports and files free.
        ["DcpPublisher:WaitForResourceCleanup"] = "true",

        // A start that was interrupted is no fault, and one that failed is told in a line of ours.
        ["Logging:LogLevel:Microsoft.Extensions.Hosting.Internal.Host"] = "None",
        ["Logging:LogLevel:Aspire.Hosting"] = "Warning",
        ["Logging:LogLevel:Microsoft.AspNetCore"] = "Warning",
        ["Logging:LogLevel:Microsoft.AspNetCore.DataProtection"] = "Error",
        ["Logging:LogLevel:Microsoft.Extensions.Diagnostics.HealthChecks"] = "None",
    };

    /// <summary>
    /// Creates the builder. <c>Dashboard:Enabled</c> (default true) and <c>Console:ResourceLogs</c> (default false: the dashboard shows them) are read before it, since the
    /// orchestrator wants to know them first.
    /// </summary>
    public static IDistributedApplicationBuilder Create(string[] args)
    {
        var early = new ConfigurationBuilder().AddEnvironmentVariables().AddCommandLine(args).Build();
        var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions
        {
            Args = args,
            DisableDashboard = IsFalse(early["Dashboard:Enabled"]),
            EnableResourceLogging = IsTrue(early["Console:ResourceLogs"]),
            AllowUnsecuredTransport = true,
        });
        builder.Configuration.AddInMemoryCollection(Defaults.Where(setting => string.IsNullOrEmpty(builder.Configuration[setting.Key])));
        return builder;
    }

    private static bool IsTrue(string? text) => bool.TryParse(text, out var value) && value;

    private static bool IsFalse(string? text) => bool.TryParse(text, out var value) && !value;
}

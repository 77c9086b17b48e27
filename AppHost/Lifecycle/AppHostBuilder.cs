using AppHost.Configuration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AppHost.Lifecycle;

/// <summary>The orchestrator as this AppHost uses it.</summary>
internal static class AppHostBuilder
{
    private const string Operation = "AppHost:Operation";
    private const string ChosenPublisher = "Publishing:Publisher";
    private const string Step = "Pipeline:Step";
    private const string OutputPath = "Pipeline:OutputPath";

    // The orchestrator's own short names.
    private static readonly Dictionary<string, string> PublishSwitches = new()
    {
        ["--operation"] = Operation,
        ["--publisher"] = ChosenPublisher,
        ["--step"] = Step,
        ["--output-path"] = OutputPath,
    };

    // What the orchestrator needs to start with nothing configured; what is given wins.
    private static readonly Dictionary<string, string?> Defaults = new()
    {
        // The dashboard on a free port: its link is printed, and two systems run side by side.
        ["ASPNETCORE_URLS"] = "http://localhost:0",
        ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",

        // The AppHost returns when all that it started is gone, so that the next start finds ports and files free.
        ["DcpPublisher:WaitForResourceCleanup"] = "true",
    };

    // What the orchestrator says beside what a user can act on: a start that was interrupted is no fault, and one that failed is told in a line of ours.
    private static readonly (string Category, LogLevel Least)[] Quiet =
    [
        ("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None),
        ("Aspire.Hosting", LogLevel.Warning),
        ("Microsoft.AspNetCore", LogLevel.Warning),
        ("Microsoft.AspNetCore.DataProtection", LogLevel.Error),
        ("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None),
    ];

    /// <summary>
    /// Creates the builder. <c>Dashboard:Enabled</c> (default true) and <c>Console:ResourceLogs</c> (default false: the dashboard shows them) are read before it, since the
    /// orchestrator wants to know them first.
    /// </summary>
    public static IDistributedApplicationBuilder Create(string[] args)
    {
        var early = new ConfigurationBuilder().AddEnvironmentVariables().AddCommandLine(args, PublishSwitches).Build();
        var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions
        {
            Args = [.. args, .. Publisher(early)],
            DisableDashboard = !AppHostSettings.IsDashboardEnabled(early),
            EnableResourceLogging = IsTrue(early["Console:ResourceLogs"]),
            AllowUnsecuredTransport = true,
        });
        builder.Configuration.AddInMemoryCollection(Defaults.Where(setting => string.IsNullOrEmpty(builder.Configuration[setting.Key])));
        builder.Services.AddLogging(logging =>
        {
            foreach (var (category, least) in Quiet)
            {
                _ = logging.AddFilter(category, least);
            }
        });
        return builder;
    }

    /// <summary><c>--operation publish</c> alone writes the manifest: there is no other publisher here, and without one the orchestrator waits for somebody to choose.</summary>
    private static IEnumerable<string> Publisher(IConfiguration given)
    {
        if (!string.Equals(given[Operation], "publish", StringComparison.OrdinalIgnoreCase) || given[ChosenPublisher] is not null || given[Step] is not null)
        {
            yield break;
        }

        yield return "--publisher";
        yield return "manifest";
        if (given[OutputPath] is null)
        {
            yield return "--output-path";
            yield return "aspire-manifest.json";
        }
    }

    private static bool IsTrue(string? text) => bool.TryParse(text, out var value) && value;
}

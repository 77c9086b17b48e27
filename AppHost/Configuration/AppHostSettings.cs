using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace AppHost.Configuration;

/// <summary>What the configuration says about the shape of the system, checked as a whole before anything is started.</summary>
internal sealed record AppHostSettings
{
    public const int DefaultEdgePort = 4455;
    private const int MostEdges = 64;
    private static readonly string[] StoreNames = ["continuitydb", "accountsdb", "redis"];

    public required IConfiguration Configuration { get; init; }

    public required IReadOnlyList<EdgeAddress> Edges { get; init; }

    public required StoresMode Stores { get; init; }

    /// <summary>Everything that is kept on this machine; an absolute path.</summary>
    public required string DataDirectory { get; init; }

    public required AccountSeed Seed { get; init; }

    /// <summary>Outbound proxy variables reach the children only on request: a stray one would carry credentials elsewhere.</summary>
    public required bool InheritProxyVariables { get; init; }

    /// <summary>False: nobody takes what the services would report, unless <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> names a collector.</summary>
    public bool HasDashboard => IsDashboardEnabled(Configuration);

    /// <summary>How long an edge may take to end its running turns, from the signal to the end of its process.</summary>
    public required TimeSpan EdgeStopLimit { get; init; }

    public string SecretsDirectory => Path.Combine(DataDirectory, "secrets");

    /// <summary><c>Dashboard:Enabled</c>; the orchestrator wants to know it before there are settings.</summary>
    public static bool IsDashboardEnabled(IConfiguration configuration) => !bool.TryParse(configuration["Dashboard:Enabled"], out var enabled) || enabled;

    /// <summary>Reads the settings, or adds to <paramref name="errors"/> everything that is wrong with them.</summary>
    public static AppHostSettings? Read(IConfiguration configuration, bool publishing, ICollection<string> errors)
    {
        var replicas = Integer(configuration, "Edge:Replicas", 1, 1, MostEdges, errors);
        var port = Integer(configuration, "Edge:Port", DefaultEdgePort, 1, 65535, errors);
        if (port + replicas - 1 > 65535)
        {
            errors.Add($"Edge:Port {port} leaves no port numbers for {replicas} edges.");
        }

        // Behind those for clients, unless that is beyond the last one.
        var behind = port + replicas;
        var internalPort = Integer(configuration, "Edge:InternalPort", behind + replicas - 1 > 65535 ? port - replicas : behind, 1, 65535, errors);
        if (internalPort + replicas - 1 > 65535 || Math.Abs(internalPort - port) < replicas)
        {
            errors.Add($"Edge:InternalPort {internalPort} leaves no port numbers for {replicas} edges beside those of Edge:Port.");
        }

        var stores = Mode(configuration, publishing, errors);
        var seed = AccountSeed.Read(configuration, errors);
        if (!bool.TryParse(configuration["Upstream:InheritProxyVariables"] ?? "false", out var inheritProxies))
        {
            errors.Add("Upstream:InheritProxyVariables must be true or false.");
        }

        return errors.Count > 0 ? null : new AppHostSettings
        {
            Configuration = configuration,
            Edges = [.. Enumerable.Range(0, replicas).Select(n => new EdgeAddress($"edge-{n}", port + n, internalPort + n))],
            Stores = stores,
            DataDirectory = SolutionLayout.DataDirectory(configuration),
            Seed = seed,
            InheritProxyVariables = inheritProxies,
            EdgeStopLimit = StopLimit(configuration),
        };
    }

    /// <summary>The edge's own defaults and its time for shipping the last rows; what it does not understand, the edge itself refuses.</summary>
    private static TimeSpan StopLimit(IConfiguration configuration) => TimeSpan.FromSeconds(
        Seconds(configuration, "Drain:NoticeSeconds", 1) + Seconds(configuration, "Drain:Seconds", 8) + 6);

    private static double Seconds(IConfiguration configuration, string key, double otherwise) =>
        double.TryParse(configuration[key], CultureInfo.InvariantCulture, out var value) && value is >= 0 and <= 86_400 ? value : otherwise;

    private static StoresMode Mode(IConfiguration configuration, bool publishing, ICollection<string> errors)
    {
        var text = configuration["Stores:Mode"];
        var mode = StoresMode.Auto;
        if (!string.IsNullOrEmpty(text) && (!Enum.TryParse(text, ignoreCase: true, out mode) || !Enum.IsDefined(mode)))
        {
            errors.Add($"Stores:Mode is '{text}'; it must be auto, local, containers or external.");
            return mode;
        }

        var missing = StoreNames.Where(name => string.IsNullOrEmpty(configuration.GetConnectionString(name))).ToList();
        if (mode == StoresMode.Auto && missing.Count == 0)
        {
            return StoresMode.External;
        }

        // When published, a connection string that is not given becomes a parameter that the deployment asks for.
        if (mode == StoresMode.External && !publishing)
        {
            foreach (var name in missing)
            {
                errors.Add($"Stores:Mode=external needs ConnectionStrings:{name}.");
            }
        }

        return mode;
    }

    private static int Integer(IConfiguration configuration, string key, int otherwise, int least, int most, ICollection<string> errors)
    {
        var text = configuration[key];
        if (string.IsNullOrEmpty(text))
        {
            return otherwise;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most)
        {
            return value;
        }

        errors.Add($"{key} is '{text}'; it must be a whole number from {least} to {most}.");
        return otherwise;
    }
}

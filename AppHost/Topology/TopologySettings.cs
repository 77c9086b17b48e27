using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace AppHost.Topology;

/// <summary>What the configuration says about the shape of the system, checked as a whole before anything is started.</summary>
internal sealed record TopologySettings
{
    public const int DefaultEdgePort = 4455;
    private const int MostEdges = 64;
    private static readonly string[] StoreNames = ["continuitydb", "accountsdb", "redis"];

    public required IConfiguration Configuration { get; init; }

    public required IReadOnlyList<EdgeAddress> Edges { get; init; }

    public required StoresMode Stores { get; init; }

    public required string DataDirectory { get; init; }

    public required AccountSeed Seed { get; init; }

    /// <summary>Outbound proxy variables reach the children only on request: a stray one would carry credentials elsewhere.</summary>
    public bool InheritProxyVariables => Configuration.GetValue<bool>("Upstream:InheritProxyVariables");

    public string SecretsDirectory => Path.Combine(DataDirectory, "secrets");

    /// <summary>Reads the settings and makes the data directory; what is wrong is told, all of it, on standard error.</summary>
    public static bool TryRead(IConfiguration configuration, [NotNullWhen(true)] out TopologySettings? settings)
    {
        var errors = new List<string>();
        settings = Read(configuration, errors);
        try
        {
            if (settings is not null)
            {
                PrivateFile.CreateFolder(settings.SecretsDirectory);
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            errors.Add($"Data:Directory cannot be used: {failure.Message}");
            settings = null;
        }

        foreach (var error in errors)
        {
            Console.Error.WriteLine(error);
        }

        return settings is not null;
    }

    /// <summary>Reads the settings, or adds to <paramref name="errors"/> everything that is wrong with them.</summary>
    public static TopologySettings? Read(IConfiguration configuration, ICollection<string> errors)
    {
        var replicas = Integer(configuration, "Edge:Replicas", 1, 1, MostEdges, errors);
        var port = Integer(configuration, "Edge:Port", DefaultEdgePort, 1, 65535, errors);
        if (port + replicas - 1 > 65535)
        {
            errors.Add($"Edge:Port {port} leaves no port numbers for {replicas} edges.");
        }

        var stores = Mode(configuration, errors);
        var seed = AccountSeed.Read(configuration, errors);
        if (!bool.TryParse(configuration["Upstream:InheritProxyVariables"] ?? "false", out _))
        {
            errors.Add("Upstream:InheritProxyVariables must be true or false.");
        }

        return errors.Count > 0 ? null : new TopologySettings
        {
            Configuration = configuration,
            Edges = [.. Enumerable.Range(0, replicas).Select(n => new EdgeAddress($"edge-{n}", port + n))],
            Stores = stores,
            DataDirectory = SolutionLayout.DataDirectory(configuration),
            Seed = seed,
        };
    }

    private static StoresMode Mode(IConfiguration configuration, ICollection<string> errors)
    {
        var text = configuration["Stores:Mode"];
        var mode = StoresMode.Auto;
        if (!string.IsNullOrEmpty(text) && (!Enum.TryParse(text, ignoreCase: true, out mode) || !Enum.IsDefined(mode)))
        {
            errors.Add($"Stores:Mode is '{text}'; it must be auto, local, containers or external.");
            return mode;
        }

        var missing = StoreNames.Where(name => string.IsNullOrEmpty(configuration.GetConnectionString(name))).ToList();
        if (mode == StoresMode.External)
        {
            foreach (var name in missing)
            {
                errors.Add($"Stores:Mode=external needs ConnectionStrings:{name}.");
            }
        }

        if (mode == StoresMode.Auto && missing.Count == 0)
        {
            return StoresMode.External;
        }

        if (BackEnd.Objection(mode) is { } objection)
        {
            errors.Add(objection);
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

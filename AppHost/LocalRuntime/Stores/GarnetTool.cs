using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using AppHost.LocalRuntime.Hosting;
using AppHost.LocalRuntime.Processes;
using AppHost.Topology;

namespace AppHost.LocalRuntime.Stores;

/// <summary>Garnet, a .NET server of the Redis protocol, from the repository's tool manifest.</summary>
internal sealed class GarnetTool : RedisServer
{
    private const string Package = "garnet-server";

    // Of two that restore at the same time one may find the other's half-written package, and fails.
    private const int RestoreTries = 2;
    private static readonly TimeSpan RestorePause = TimeSpan.FromSeconds(1);

    public override async Task<Launch> PrepareAsync(string directory, int port, string password, CancellationToken cancellationToken)
    {
        var server = Installed() ?? await RestoreAsync(cancellationToken);
        var files = Path.Combine(directory, "garnet");
        _ = Directory.CreateDirectory(files);
        var configuration = Path.Combine(directory, "garnet.json");
        PrivateFile.Write(configuration, JsonSerializer.Serialize(new { AuthenticationMode = "Password", Password = password }));

        // The server itself, not `dotnet tool run`, which would stand between it and our signals.
        return new Launch(ProjectOutput.DotnetHost,
        [
            server, "-q", "--config-import-path", configuration,
            "--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture),

            // Scripts are atomic only as transactions.
            "--lua", "true", "--lua-transaction-mode", "true",

            // An answer is given when the write is in the file, so that kill -9 loses nothing that was acknowledged.
            "--aof", "true", "--aof-commit-wait", "true", "--recover", "true", "--logdir", files,

            // A checkpoint shortens the file; what does not fit into memory goes to disk instead of being dropped.
            "--checkpoint-freq", "600", "--storage-tier", "true", "--memory", "1g", "--index", "64m",
            .. HasLibaio() ? Array.Empty<string>() : ["--device-type", "RandomAccess"],
        ])
        {
            // The tool may target an older runtime than the one that is here.
            Environment = new Dictionary<string, string>(InheritedEnvironment.Current()) { ["DOTNET_ROLL_FORWARD"] = "Major" },
            WorkingDirectory = directory,
        };
    }

    private static async Task<string> RestoreAsync(CancellationToken cancellationToken)
    {
        var output = new List<string>();
        for (var tries = 1; ; tries++)
        {
            await RunRestoreAsync(output, cancellationToken);
            if (Installed() is { } server)
            {
                return server;
            }
            if (tries == RestoreTries)
            {
                throw new RunFailedException(
                    $"There is no redis-server on PATH, and dotnet tool restore did not bring {Package}: {output.LastOrDefault()} "
                    + "Install Redis (Debian: apt-get install redis-server, macOS: brew install redis) or use --Stores:Mode=external.");
            }
            await Task.Delay(RestorePause, TimeProvider.System, cancellationToken);
        }
    }

    private static async Task RunRestoreAsync(List<string> output, CancellationToken cancellationToken)
    {
        var launch = new Launch(ProjectOutput.DotnetHost, ["tool", "restore"])
        {
            // Not the children's environment: fetching a package may need the proxy.
            Environment = Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
                .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? string.Empty),
            WorkingDirectory = SolutionLayout.Root(),
        };
        using var child = ChildProcess.Start(launch, output.Add, TimeProvider.System);
        try
        {
            _ = await child.Exited.WaitAsync(TimeSpan.FromMinutes(5), TimeProvider.System, cancellationToken);
        }
        finally
        {
            _ = await child.StopAsync(CancellationToken.None);
        }
    }

    /// <summary>The tool's program of the version in the manifest, once it has been restored.</summary>
    private static string? Installed()
    {
        var manifest = Path.Combine(SolutionLayout.Root(), ".config", "dotnet-tools.json");
        if (!File.Exists(manifest))
        {
            return null;
        }

        using var document = JsonDocument.Parse(File.ReadAllText(manifest));
        var version = document.RootElement.GetProperty("tools").GetProperty(Package).GetProperty("version").GetString()!;
        return InPackages(version) ?? InResolverCache(version);
    }

    private static string? InPackages(string version)
    {
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder
            ? folder
            : Path.Combine(Home(), ".nuget", "packages");
        var tools = Path.Combine(packages, Package, version, "tools");
        return Directory.Exists(tools)
            ? Directory.EnumerateDirectories(tools).OrderDescending(StringComparer.Ordinal)
                .Select(framework => Path.Combine(framework, "any", "GarnetServer.dll")).FirstOrDefault(File.Exists)
            : null;
    }

    /// <summary>
    /// Where the packages folder is configured elsewhere, the dotnet command itself knows:
    /// <c>[{"Version":"2.2.8","PathToExecutable":"/.../GarnetServer.dll",...}]</c>.
    /// </summary>
    private static string? InResolverCache(string version)
    {
        var home = Environment.GetEnvironmentVariable("DOTNET_CLI_HOME") is { Length: > 0 } folder ? folder : Home();
        var cache = Path.Combine(home, ".dotnet", "toolResolverCache", "1", Package);
        if (!File.Exists(cache))
        {
            return null;
        }

        using var entries = JsonDocument.Parse(File.ReadAllText(cache));
        return entries.RootElement.EnumerateArray()
            .Where(entry => entry.GetProperty("Version").GetString() == version)
            .Select(entry => entry.GetProperty("PathToExecutable").GetString())
            .FirstOrDefault(File.Exists);
    }

    private static string Home() => Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);

    private static bool HasLibaio() =>
        OperatingSystem.IsLinux() && (NativeLibrary.TryLoad("libaio.so.1", out _) || NativeLibrary.TryLoad("libaio.so.1t64", out _));
}

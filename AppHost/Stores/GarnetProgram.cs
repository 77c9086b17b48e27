using System.Runtime.InteropServices;
using System.Text.Json;
using AppHost.Configuration;
using AppHost.Processes;

namespace AppHost.Stores;

/// <summary>Garnet, a .NET server of the Redis protocol, from the repository's tool manifest.</summary>
internal sealed class GarnetProgram : RedisProgram
{
    private const string Package = "garnet-server";

    // Of two that restore at the same time one may find the other's half-written package, and fails.
    private const int RestoreTries = 2;
    private static readonly TimeSpan RestorePause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RestoreLimit = TimeSpan.FromMinutes(5);

    private readonly string _server;

    private GarnetProgram(string server) => _server = server;

    /// <summary>The server itself, not <c>dotnet tool run</c>, which would stand between it and our signals.</summary>
    public override string Program => BuiltPrograms.DotnetHost;

    // The tool may target an older runtime than the one that is here.
    public override IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string> { ["DOTNET_ROLL_FORWARD"] = "Major" };

    /// <summary>The tool's program of the version in the manifest, restored if need be.</summary>
    /// <exception cref="StartRefusedException">It cannot be restored.</exception>
    public static async Task<GarnetProgram> FindAsync(CancellationToken cancellationToken) =>
        new(Installed() ?? await RestoreAsync(cancellationToken));

    public override IReadOnlyList<string> Configure(string directory, string password)
    {
        var files = Path.Combine(directory, "garnet");
        _ = Directory.CreateDirectory(files);
        var configuration = Path.Combine(directory, "garnet.json");
        PrivateFile.Write(configuration, JsonSerializer.Serialize(new { AuthenticationMode = "Password", Password = password }));
        return
        [
            _server, "-q", "--config-import-path", configuration, "--bind", "127.0.0.1",

            // Scripts are atomic only as transactions.
            "--lua", "true", "--lua-transaction-mode", "true",

            // An answer is given when the write is in the file, so that kill -9 loses nothing that was acknowledged.
            "--aof", "true", "--aof-commit-wait", "true", "--recover", "true", "--logdir", files,

            // A checkpoint shortens the file; what does not fit into memory goes to disk instead of being dropped.
            "--checkpoint-freq", "600", "--storage-tier", "true", "--memory", "1g", "--index", "64m",
            .. HasLibaio() ? Array.Empty<string>() : ["--device-type", "RandomAccess"],
        ];
    }

    private static async Task<string> RestoreAsync(CancellationToken cancellationToken)
    {
        Console.WriteLine($"There is no redis-server on PATH; fetching {Package} with dotnet tool restore.");
        for (var tries = 1; ; tries++)
        {
            var restore = await ProgramRun.OfAsync([BuiltPrograms.DotnetHost, "tool", "restore"], RestoreLimit, SolutionLayout.Root(), cancellationToken);
            if (Installed() is { } server)
            {
                return server;
            }
            if (tries == RestoreTries)
            {
                throw new StartRefusedException(
                    $"There is no redis-server on PATH, and dotnet tool restore did not bring {Package}: {restore.LastLine} "
                    + "Install Redis (Debian: apt-get install redis-server, macOS: brew install redis) or use --Stores:Mode=external.");
            }
            await Task.Delay(RestorePause, TimeProvider.System, cancellationToken);
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
        var packages = System.Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder
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
        var home = System.Environment.GetEnvironmentVariable("DOTNET_CLI_HOME") is { Length: > 0 } folder ? folder : Home();
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

    private static string Home() => System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile);

    private static bool HasLibaio() =>
        OperatingSystem.IsLinux() && (NativeLibrary.TryLoad("libaio.so.1", out _) || NativeLibrary.TryLoad("libaio.so.1t64", out _));
}

using System.Runtime.InteropServices;
using System.Text.Json;
using Testing.Processes;

namespace Testing.Stores;

/// <summary>Garnet, a .NET server of the Redis protocol, from the repository's tool manifest.</summary>
internal static class GarnetTool
{
    private const string Package = "garnet-server";

    private static readonly TimeSpan RestoreLimit = TimeSpan.FromMinutes(5);

    // Once for the test process: of two that restore at the same time one finds the other's half-written package.
    private static readonly Lazy<Task<string>> Found = new(RestoreAsync);

    /// <summary>The server itself, not <c>dotnet tool run</c>, which would stand between it and our signals. Restored if need be.</summary>
    public static Task<string> FindAsync() => Found.Value;

    private static async Task<string> RestoreAsync()
    {
        if (Installed() is { } server)
        {
            return server;
        }
        await ChildProcess.RunAsync(
            new Launch(BuiltPrograms.Dotnet, "tool", "restore")
            {
                // Fetching a package may need the proxy.
                Environment = ChildEnvironment.Everything(),
                WorkingDirectory = BuiltPrograms.SolutionDirectory,
            },
            RestoreLimit);
        return Installed() ?? throw new InvalidOperationException($"dotnet tool restore did not bring {Package}.");
    }

    /// <summary>Garnet's own way to write files needs libaio.</summary>
    public static bool HasLibaio() =>
        OperatingSystem.IsLinux() && (NativeLibrary.TryLoad("libaio.so.1", out _) || NativeLibrary.TryLoad("libaio.so.1t64", out _));

    // Wherever packages are kept, the dotnet command knows: [{"Version":"2.2.8","PathToExecutable":"/.../GarnetServer.dll",...}].
    private static string? Installed()
    {
        var home = Environment.GetEnvironmentVariable("DOTNET_CLI_HOME") is { Length: > 0 } folder ? folder : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var cache = Path.Combine(home, ".dotnet", "toolResolverCache", "1", Package);
        if (!File.Exists(cache))
        {
            return null;
        }
        using var manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(BuiltPrograms.SolutionDirectory, ".config", "dotnet-tools.json")));
        var version = manifest.RootElement.GetProperty("tools").GetProperty(Package).GetProperty("version").GetString();
        using var entries = JsonDocument.Parse(File.ReadAllText(cache));
        return entries.RootElement.EnumerateArray()
            .Where(entry => entry.GetProperty("Version").GetString() == version)
            .Select(entry => entry.GetProperty("PathToExecutable").GetString())
            .FirstOrDefault(File.Exists);
    }
}

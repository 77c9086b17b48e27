using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Testing;

namespace Clients.Tests;

/// <summary>A test that needs clients from npm; where npm or node is missing, the test is skipped and says so.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NeedsNpmFactAttribute([CallerMemberName] string test = "") : NeedsProgramFactAttribute(["npm", "node"], test);

/// <summary>Codex CLI and the openai npm SDK, in the versions of <c>clients/package-lock.json</c>, installed once beside the build's output.</summary>
public static class NpmClients
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private static readonly Lazy<Task<string>> Installed = new(InstallOnceAsync);

    /// <summary>The folder with <c>node_modules</c> and our scripts.</summary>
    public static Task<string> InstallAsync() => Installed.Value;

    /// <summary>Runs a program to its end; its whole output, or a failure after the limit.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(
        string folder, TimeSpan limit, IReadOnlyDictionary<string, string>? environment, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync().WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} did not end within {limit}:\n{await output}\n{await errors}");
        }
        return (process.ExitCode, await output + await errors);
    }

    private static async Task<string> InstallOnceAsync()
    {
        var source = Path.Combine(AppContext.BaseDirectory, "clients");
        var version = Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(source, "package-lock.json"))).AsSpan(0, 6));
        var folder = Path.Combine(AppContext.BaseDirectory, $"npm-{version}");
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.GetFiles(source))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        }
        var done = Path.Combine(folder, ".installed");
        if (!File.Exists(done))
        {
            var result = await RunAsync(folder, Limit, null, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts");
            Assert.True(result.ExitCode == 0, result.Output);
            await File.WriteAllTextAsync(done, "");
        }
        return folder;
    }
}

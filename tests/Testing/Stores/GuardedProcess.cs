using System.Collections.Concurrent;
using System.Diagnostics;

namespace Testing.Stores;

/// <summary>
/// A server that cannot outlive the test process, however that ends: a shell between the two reads a pipe whose other end
/// this process holds; at its end of file the shell kills the server's process group and removes its directory.
/// </summary>
internal sealed class GuardedProcess
{
    // Ctrl+C reaches the whole foreground group: the guard must live to clean up.
    private const string Guard = """
        trap '' INT HUP TERM
        exec >/dev/null 2>&1
        dir=$1 signal=$2
        shift 2
        setsid "$@" </dev/null >"$dir/output" 2>&1 &
        child=$!
        read -r _
        kill "-$signal" "-$child"
        wait "$child"
        rm -rf -- "$dir"
        """;

    // Kept for the life of the test process: were a guard's pipe collected as garbage, its server would end.
    private static readonly ConcurrentBag<GuardedProcess> Running = [];

    private readonly Process _guard;
    private readonly string _directory;

    private GuardedProcess(Process guard, string directory)
    {
        (_guard, _directory) = (guard, directory);
        Running.Add(this);
    }

    /// <summary>Starts a command; its output goes to a file in its directory.</summary>
    /// <param name="directory">Removed with the server.</param>
    /// <param name="signal">What ends the server at once, without leaving children behind.</param>
    public static GuardedProcess Start(string directory, string signal, IEnumerable<string> command, string? workingDirectory = null)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", Guard, "guard", directory, signal, .. command])
        {
            RedirectStandardInput = true,
            WorkingDirectory = workingDirectory ?? directory,
        };
        return new GuardedProcess(Process.Start(start)!, directory);
    }

    /// <summary>Runs a command to its end.</summary>
    /// <exception cref="InvalidOperationException">It failed; with what it has said.</exception>
    public static async Task RunAsync(string workingDirectory, IReadOnlyList<string> command)
    {
        using var process = Process.Start(new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory,
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{string.Join(' ', command)} ended with {process.ExitCode}: {await output}{await error}");
        }
    }

    /// <summary>What the server has said so far.</summary>
    public string Output => File.Exists(Path.Combine(_directory, "output")) ? File.ReadAllText(Path.Combine(_directory, "output")) : "";
}

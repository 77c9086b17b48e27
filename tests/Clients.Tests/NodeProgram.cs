using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Testing.Processes;

namespace Clients.Tests;

/// <summary>A script for node that tells what it sees while it runs: one JSON object a line.</summary>
public sealed class NodeProgram : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<JsonNode> _seen = new();
    private readonly CapturedOutput _errors = new();

    private NodeProgram(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Take(line.Data, text => _seen.Enqueue(JsonNode.Parse(text)!));
        process.ErrorDataReceived += (_, line) => Take(line.Data, _errors.Add);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>What it has told so far.</summary>
    public IReadOnlyList<JsonNode> Seen => [.. _seen];

    /// <summary>Starts a script of the folder <c>clients</c>.</summary>
    public static async Task<NodeProgram> StartAsync(string script, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("node", [script, .. arguments])
        {
            WorkingDirectory = await NpmClients.InstallAsync(),
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return new NodeProgram(Process.Start(start)!);
    }

    /// <summary>Tells it to stop.</summary>
    public Task StopAsync() => _process.StandardInput.WriteLineAsync("stop");

    /// <summary>Waits until it has ended, by itself and well.</summary>
    public async Task WaitForEndAsync(TimeSpan limit)
    {
        await _process.WaitForExitAsync().WaitAsync(limit);
        Assert.True(_process.ExitCode == 0, _errors.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }
        _process.Dispose();
    }

    private static void Take(string? line, Action<string> take)
    {
        if (line is not null)
        {
            take(line);
        }
    }
}

using System.Diagnostics;

namespace Testing.Processes;

/// <summary>A running process under guard: its output as lines, its end as a task.</summary>
internal sealed class ChildProcess : IDisposable
{
    // A grandchild may keep the output open after the child itself has ended.
    private static readonly TimeSpan OutputGrace = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(5);

    private readonly Process _process;
    private readonly EndSignal _endSignal;

    private ChildProcess(Process process, EndSignal endSignal, Action<string> output)
    {
        (_process, _endSignal) = (process, endSignal);
        Exited = WatchAsync(Task.WhenAll(PumpAsync(process.StandardOutput, output), PumpAsync(process.StandardError, output)));
    }

    public int Id => _process.Id;

    /// <summary>The exit code, once the process has ended and its output has been delivered.</summary>
    public Task<int> Exited { get; }

    public static ChildProcess Start(Launch launch, Action<string> output)
    {
        var command = Guard.Wrap(launch);
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = launch.WorkingDirectory,
        };
        start.Environment.Clear();
        foreach (var (name, value) in launch.Environment)
        {
            start.Environment[name] = value;
        }
        return new ChildProcess(Process.Start(start)!, launch.EndSignal, output);
    }

    /// <summary>Runs a command to its end; it must succeed.</summary>
    /// <exception cref="InvalidOperationException">It failed; with what it has said.</exception>
    public static async Task RunAsync(Launch launch, TimeSpan limit)
    {
        var output = new CapturedOutput();
        using var child = Start(launch, output.Add);
        var ended = await Task.WhenAny(child.Exited, Task.Delay(limit, TimeProvider.System)) == child.Exited;
        var exitCode = await child.EndAsync();
        if (exitCode != 0)
        {
            var what = ended ? $"ended with {exitCode}" : $"did not end within {limit.TotalSeconds} s";
            throw new InvalidOperationException($"{launch.Program} {string.Join(' ', launch.Arguments)} {what}: {output}");
        }
    }

    /// <summary>Ends the process at once, unless it has ended by itself; its exit code.</summary>
    public async Task<int> EndAsync()
    {
        if (!Exited.IsCompleted)
        {
            ProcessSignals.Send(Id, _endSignal);
            await ((Task)Exited).WaitAsync(EndLimit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (!Exited.IsCompleted)
        {
            ProcessSignals.KillGroup(Id);
        }
        return await Exited.WaitAsync(EndLimit);
    }

    public void Dispose() => _process.Dispose();

    private async Task<int> WatchAsync(Task pumps)
    {
        await _process.WaitForExitAsync(CancellationToken.None);
        try
        {
            // Lets the guard end whatever the child has left behind in its group.
            await _process.StandardInput.WriteLineAsync();
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The guard has ended with the group.
        }
        try
        {
            await pumps.WaitAsync(OutputGrace);
        }
        catch (TimeoutException)
        {
            _process.StandardOutput.Close();
            _process.StandardError.Close();
        }
        return _process.ExitCode;
    }

    // On a thread of its own: a read of a pipe blocks the thread that it is on, and a dozen of them would leave none of the pool's to the tests.
    private static Task PumpAsync(StreamReader reader, Action<string> output) => Task.Factory.StartNew(
        () =>
        {
            try
            {
                while (reader.ReadLine() is { } line)
                {
                    output(line);
                }
            }
            catch (Exception closed) when (closed is IOException or ObjectDisposedException or OperationCanceledException)
            {
                // Only when the output was given up above.
            }
        },
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}

using System.Diagnostics;

namespace AppHost.LocalRuntime.Processes;

/// <summary>A running child: its output as lines, its end as a task.</summary>
internal sealed class ChildProcess : IDisposable
{
    // A grandchild may keep the output open after the child itself has ended.
    private static readonly TimeSpan OutputGrace = TimeSpan.FromSeconds(2);

    private readonly Process _process;
    private readonly Launch _launch;
    private readonly TimeProvider _clock;

    private ChildProcess(Process process, Launch launch, Action<string> output, TimeProvider clock)
    {
        (_process, _launch, _clock) = (process, launch, clock);
        Id = process.Id;
        Exited = WatchAsync(Task.WhenAll(PumpAsync(process.StandardOutput, output), PumpAsync(process.StandardError, output)));
    }

    public int Id { get; }

    /// <summary>The exit code, once the child has ended and its output has been delivered.</summary>
    public Task<int> Exited { get; }

    public static ChildProcess Start(Launch launch, Action<string> output, TimeProvider clock)
    {
        var command = Guard.Wrap(launch, SessionStarter.Find());
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = launch.WorkingDirectory ?? string.Empty,
        };
        start.Environment.Clear();
        foreach (var (name, value) in launch.Environment)
        {
            start.Environment[name] = value;
        }

        return new ChildProcess(Process.Start(start)!, launch, output, clock);
    }

    /// <summary>Asks the child to end, waits for its grace period or until <paramref name="hurry"/>, then kills its group.</summary>
    public async Task<int> StopAsync(CancellationToken hurry)
    {
        if (!Exited.IsCompleted)
        {
            _ = Signals.Send(Id, _launch.StopSignal);
            try
            {
                return await Exited.WaitAsync(_launch.Grace, _clock, hurry);
            }
            catch (Exception late) when (late is TimeoutException or OperationCanceledException)
            {
                _ = Signals.SendToGroup(Id, Signal.Kill);
            }
        }

        return await Exited;
    }

    public void Dispose() => _process.Dispose();

    private async Task<int> WatchAsync(Task pumps)
    {
        await _process.WaitForExitAsync(CancellationToken.None);

        // Closing the pipe lets the guard end whatever the child has left behind in its group.
        _process.StandardInput.Close();
        try
        {
            await pumps.WaitAsync(OutputGrace, _clock);
        }
        catch (TimeoutException)
        {
            _process.StandardOutput.Close();
            _process.StandardError.Close();
        }

        return _process.ExitCode;
    }

    private static async Task PumpAsync(StreamReader reader, Action<string> output)
    {
        try
        {
            while (await reader.ReadLineAsync(CancellationToken.None) is { } line)
            {
                output(line);
            }
        }
        catch (Exception closed) when (closed is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // Only when the output was given up above.
        }
    }
}

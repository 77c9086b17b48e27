using AppHost.Lifecycle;

namespace Testing.Processes;

/// <summary>A process that is started again, as an orchestrator would, whenever it ends unasked.</summary>
internal sealed class RestartingProcess : IAsyncDisposable
{
    private readonly string _name;
    private readonly Launch _launch;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private int _id;

    private RestartingProcess(string name, Launch launch)
    {
        (_name, _launch) = (name, launch);
        _running = RunAsync(Start());
    }

    /// <summary>What all its lives have said.</summary>
    public CapturedOutput Output { get; } = new();

    /// <summary>Null while it is not running.</summary>
    public int? ProcessId => Volatile.Read(ref _id) is > 0 and var id ? id : null;

    public static RestartingProcess Start(string name, Launch launch) => new(name, launch);

    /// <summary>Ends it at once, for good.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private ChildProcess Start()
    {
        var child = ChildProcess.Start(_launch, Output.Add);
        Volatile.Write(ref _id, child.Id);
        return child;
    }

    private async Task RunAsync(ChildProcess first)
    {
        var backOff = new BackOff();
        for (var child = first; ; child = Start())
        {
            TimeSpan wait;
            using (child)
            {
                var started = TimeProvider.System.GetTimestamp();
                await ((Task)child.Exited).WaitAsync(_stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (_stop.IsCancellationRequested)
                {
                    await child.EndAsync();
                    Volatile.Write(ref _id, 0);
                    return;
                }
                Volatile.Write(ref _id, 0);
                wait = backOff.Next(TimeProvider.System.GetElapsedTime(started));
                Output.Add($"({_name} ended with exit code {await child.Exited}; it is started again in {wait.TotalSeconds:0.##} s)");
            }
            await Task.Delay(wait, TimeProvider.System, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_stop.IsCancellationRequested)
            {
                return;
            }
        }
    }
}

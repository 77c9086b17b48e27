using AppHost.LocalRuntime.Output;
using AppHost.LocalRuntime.Processes;

namespace AppHost.LocalRuntime.Hosting;

/// <summary>Keeps one workload running: starts it when its dependencies allow, restarts it when it crashes, ends it on request.</summary>
internal sealed class Supervisor(IWorkload workload, RunDirectory runs, PrefixedLog log, TimeProvider clock) : IDisposable
{
    public const string RuntimeName = "apphost";
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan CheckLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan CheckInterval = TimeSpan.FromMilliseconds(100);

    private readonly TaskCompletionSource _healthy = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private readonly BackOff _backOff = new();
    private Task _run = Task.CompletedTask;
    private long? _firstStart;

    public IWorkload Workload => workload;

    /// <summary>Ends when a stop was asked for or, for a job, when it is done; fails when the workload cannot be run.</summary>
    public Task Running => _run;

    public void Start(Func<string, Supervisor?> find, CancellationToken hurry) => _run = RunAsync(find, hurry);

    /// <summary>Asks the workload to end and waits until it has.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _stop.Dispose();

    private async Task RunAsync(Func<string, Supervisor?> find, CancellationToken hurry)
    {
        try
        {
            foreach (var dependency in workload.Dependencies)
            {
                // What is waited for but is no process here, a store that runs elsewhere, counts as healthy.
                if (find(dependency.On) is { } other)
                {
                    await (dependency.Completion ? other._completed : other._healthy).Task.WaitAsync(_stop.Token);
                }
            }

            while (!await RunOnceAsync(hurry))
            {
                _stop.Token.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Stopped, as asked.
        }
    }

    /// <summary>One life of the child. True if there shall be no further one.</summary>
    private async Task<bool> RunOnceAsync(CancellationToken hurry)
    {
        var launch = await workload.PrepareAsync(_stop.Token);
        var started = clock.GetTimestamp();
        using var child = ChildProcess.Start(launch, line => log.Write(workload.Name, line), clock);
        runs.Record(workload.Name, child.Id);
        int exitCode;
        try
        {
            if (!workload.RunsToCompletion)
            {
                await BecomeHealthyAsync(child);
            }

            exitCode = await child.Exited.WaitAsync(_stop.Token);
        }
        finally
        {
            exitCode = await child.StopAsync(hurry);
            runs.Forget(workload.Name);
        }

        if (workload.RunsToCompletion)
        {
            return exitCode == 0
                ? _completed.TrySetResult()
                : throw new RunFailedException($"{workload.Name} failed with exit code {exitCode}; its output is above.");
        }

        var wait = _backOff.Next(clock.GetElapsedTime(started));
        log.Write(RuntimeName, $"{workload.Name} ended with exit code {exitCode}; it is started again in {wait.TotalSeconds:0.##} s");
        await Task.Delay(wait, clock, _stop.Token);
        return false;
    }

    /// <summary>Waits until the child is healthy or has ended. The first start must succeed within a limit; a later one may take as long as it takes.</summary>
    private async Task BecomeHealthyAsync(ChildProcess child)
    {
        var began = clock.GetTimestamp();
        while (!child.Exited.IsCompleted)
        {
            if (await CheckAsync())
            {
                await workload.OnHealthyAsync(_stop.Token);
                _ = _healthy.TrySetResult();
                return;
            }

            if (!_healthy.Task.IsCompleted && SinceFirstStart(began) > StartLimit)
            {
                throw new RunFailedException($"{workload.Name} did not become healthy within {StartLimit.TotalSeconds:0} s; its output is above.");
            }

            await Task.WhenAny(child.Exited, Task.Delay(CheckInterval, clock, _stop.Token));
            _stop.Token.ThrowIfCancellationRequested();
        }

        if (!_healthy.Task.IsCompleted && SinceFirstStart(began) > StartLimit)
        {
            throw new RunFailedException($"{workload.Name} keeps ending before it is healthy; its output is above.");
        }
    }

    private TimeSpan SinceFirstStart(long began) => clock.GetElapsedTime(_firstStart ??= began);

    private async Task<bool> CheckAsync()
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        using var timer = clock.CreateTimer(_ => limit.Cancel(), null, CheckLimit, Timeout.InfiniteTimeSpan);
        try
        {
            return await workload.IsHealthyAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            return false;
        }
    }
}

using AppHost.LocalRuntime.Output;

namespace AppHost.LocalRuntime.Hosting;

/// <summary>All workloads together: started as their dependencies allow, stopped in the reverse order.</summary>
internal sealed class SupervisedSystem
{
    private readonly Dictionary<string, Supervisor> _supervisors;
    private readonly IReadOnlyList<IReadOnlyList<string>> _ranks;
    private readonly PrefixedLog _log;

    public SupervisedSystem(IReadOnlyList<IWorkload> workloads, RunDirectory runs, PrefixedLog log, TimeProvider clock)
    {
        _log = log;
        _supervisors = workloads.ToDictionary(workload => workload.Name, workload => new Supervisor(workload, runs, log, clock));
        _ranks = StartOrder.Ranks(workloads.ToDictionary(workload => workload.Name, workload => workload.Dependencies));
    }

    /// <summary>Runs until <paramref name="stop"/> or until a workload cannot be run, and then ends everything.</summary>
    public async Task RunAsync(CancellationToken stop, CancellationToken hurry)
    {
        foreach (var supervisor in _supervisors.Values)
        {
            supervisor.Start(name => _supervisors.GetValueOrDefault(name), hurry);
        }

        try
        {
            await FirstFailureAsync(stop);
            _log.Write(Supervisor.RuntimeName, "stopping");
        }
        finally
        {
            foreach (var rank in _ranks.Reverse())
            {
                await Task.WhenAll(rank.Select(name => _supervisors[name].StopAsync()));
            }

            foreach (var supervisor in _supervisors.Values)
            {
                supervisor.Dispose();
            }
        }
    }

    /// <summary>Returns at <paramref name="stop"/>; throws as soon as a workload has failed for good.</summary>
    private async Task FirstFailureAsync(CancellationToken stop)
    {
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var registration = stop.Register(() => stopped.TrySetResult());
        var running = _supervisors.Values.Select(supervisor => supervisor.Running).ToList();
        while (!stopped.Task.IsCompleted)
        {
            var ended = await Task.WhenAny([stopped.Task, .. running]);
            await ended;
            _ = running.Remove(ended);
        }
    }
}

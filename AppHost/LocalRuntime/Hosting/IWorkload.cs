using AppHost.LocalRuntime.Processes;

namespace AppHost.LocalRuntime.Hosting;

/// <summary>What the supervisor needs to know of something that runs as a process.</summary>
internal interface IWorkload
{
    string Name { get; }

    IReadOnlyList<Dependency> Dependencies { get; }

    /// <summary>True for a job: it is started once and must end with exit code 0.</summary>
    bool RunsToCompletion { get; }

    /// <summary>Does what must be done before a start, and says how to start.</summary>
    Task<Launch> PrepareAsync(CancellationToken cancellationToken);

    /// <summary>One health check, without waiting for the answer to change.</summary>
    Task<bool> IsHealthyAsync(CancellationToken cancellationToken);

    /// <summary>Called after each start, when the workload has become healthy and before others learn of it.</summary>
    Task OnHealthyAsync(CancellationToken cancellationToken);
}

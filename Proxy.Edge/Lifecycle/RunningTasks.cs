using System.Collections.Concurrent;

namespace Proxy.Edge.Lifecycle;

/// <summary>Tasks that run on after those who began them; whoever owns this waits for them at the end. They see to their own faults.</summary>
internal sealed class RunningTasks
{
    private readonly ConcurrentDictionary<Task, bool> _tasks = new();

    /// <summary>Keeps a task until it has ended.</summary>
    public void Add(Task task)
    {
        _tasks.TryAdd(task, true);
        _ = task.ContinueWith(ended => _tasks.TryRemove(ended, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>Ends when all that run now have.</summary>
    public Task WhenEndedAsync() => Task.WhenAll(_tasks.Keys);
}

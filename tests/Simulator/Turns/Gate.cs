namespace Simulator.Turns;

/// <summary>Holds stalled turns until they are released, all at once.</summary>
public sealed class Gate
{
    private TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _waiting;

    /// <summary>How many turns are stalled.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Lets everything that is stalled now go on; what stalls later waits for the next release.</summary>
    public void Release() =>
        Interlocked.Exchange(ref _closed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();

    internal async Task WaitAsync(Task otherwise, CancellationToken cancellationToken)
    {
        var released = Volatile.Read(ref _closed).Task;
        Interlocked.Increment(ref _waiting);
        try
        {
            await Task.WhenAny(released, otherwise).WaitAsync(cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }
}

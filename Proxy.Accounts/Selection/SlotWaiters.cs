namespace Proxy.Accounts.Selection;

/// <summary>
/// Turns that wait for a slot, first come first served within this instance. A freed slot wakes the first waiter;
/// since slots are freed on other replicas too, each waiter also looks for itself from time to time.
/// </summary>
internal sealed class SlotWaiters(TimeProvider time)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(200);

    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource> _waiters = [];

    /// <summary>How many wait now.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _waiters.Count;
            }
        }
    }

    /// <summary>Ends when a slot was freed here, or after a short while.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        var freed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        LinkedListNode<TaskCompletionSource> node;
        lock (_lock)
        {
            node = _waiters.AddLast(freed);
        }
        try
        {
            await freed.Task.WaitAsync(LookAgain, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // Time to look again.
        }
        finally
        {
            lock (_lock)
            {
                if (node.List is not null)
                {
                    _waiters.Remove(node);
                }
            }
        }
    }

    /// <summary>Wakes the first <paramref name="slots"/> waiters.</summary>
    public void Freed(int slots)
    {
        lock (_lock)
        {
            for (; slots > 0 && _waiters.First is { } first; slots--)
            {
                _waiters.RemoveFirst();
                first.Value.TrySetResult();
            }
        }
    }
}

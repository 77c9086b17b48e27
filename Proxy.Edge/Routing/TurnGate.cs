namespace Proxy.Edge.Routing;

/// <summary>Counts the turns of one client's socket, from their acceptance to their end, and closes when the socket is to take no more.</summary>
internal sealed class TurnGate
{
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    // Turns accepted and not ended; below zero once no more are taken.
    private int _accepted;
    private volatile bool _isDraining;

    /// <summary>A turn comes, and <see cref="Exit"/> will be called at its end; false once the socket is closed to turns.</summary>
    public bool TryEnter()
    {
        var accepted = Volatile.Read(ref _accepted);
        while (accepted >= 0 && !_isDraining)
        {
            var before = Interlocked.CompareExchange(ref _accepted, accepted + 1, accepted);
            if (before == accepted)
            {
                return true;
            }
            accepted = before;
        }
        return false;
    }

    /// <summary>A turn that was accepted has ended, or does not run after all.</summary>
    public void Exit()
    {
        if (Interlocked.Decrement(ref _accepted) == 0 && _isDraining && TryClose())
        {
            _drained.TrySetResult();
        }
    }

    /// <summary>Takes no more turns, and ends when those that were accepted have.</summary>
    public Task DrainAsync()
    {
        _isDraining = true;
        if (TryClose())
        {
            _drained.TrySetResult();
        }
        return _drained.Task;
    }

    /// <summary>Takes no more turns; false while there are any.</summary>
    public bool TryClose() => Interlocked.CompareExchange(ref _accepted, int.MinValue, 0) == 0;
}

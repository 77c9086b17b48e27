namespace Proxy.Edge.Sessions;

/// <summary>Whether a forwarded turn may run here.</summary>
internal enum ReplayCheck
{
    /// <summary>It has not been here.</summary>
    First,

    /// <summary>It has: somebody sends it again.</summary>
    Repeated,

    /// <summary>That could not be remembered.</summary>
    Full,
}

/// <summary>
/// The turns that other edges have sent here, for as long as their tokens could be good, so that none is run twice. A cache that lets entries go when it is full would let a turn
/// in again; this refuses new ones instead.
/// </summary>
/// <param name="most">Turns that are remembered at once.</param>
internal sealed class ForwardReplayGuard(TimeProvider time, int most = 100_000)
{
    // Longer than a token lives, clocks that differ included.
    private static readonly TimeSpan Remembered = TimeSpan.FromMinutes(2);

    private readonly Lock _lock = new();
    private readonly HashSet<Guid> _turns = [];
    private readonly Queue<(Guid Turn, long At)> _order = new();

    /// <summary>Takes note of a turn.</summary>
    public ReplayCheck Take(Guid turnId)
    {
        lock (_lock)
        {
            while (_order.TryPeek(out var oldest) && time.GetElapsedTime(oldest.At) > Remembered)
            {
                _turns.Remove(_order.Dequeue().Turn);
            }
            if (_turns.Contains(turnId))
            {
                return ReplayCheck.Repeated;
            }
            if (_turns.Count >= most)
            {
                return ReplayCheck.Full;
            }
            _turns.Add(turnId);
            _order.Enqueue((turnId, time.GetTimestamp()));
            return ReplayCheck.First;
        }
    }
}

namespace Benchmarks.Load;

/// <summary>Turns sent to a target over the whole run, and those that did not end as they should.</summary>
internal sealed class Tally
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _failures = [];
    private long _turns;

    public long Turns => Volatile.Read(ref _turns);

    /// <summary>Why turns failed, and how many did.</summary>
    public IReadOnlyDictionary<string, int> Failures
    {
        get
        {
            lock (_gate)
            {
                return new Dictionary<string, int>(_failures);
            }
        }
    }

    /// <summary>A turn was sent.</summary>
    public void Sent() => Interlocked.Increment(ref _turns);

    /// <summary>A turn failed.</summary>
    public void Failed(string reason)
    {
        lock (_gate)
        {
            _failures[reason] = _failures.GetValueOrDefault(reason) + 1;
        }
    }
}

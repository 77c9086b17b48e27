namespace Proxy.Edge.Turns;

/// <summary>
/// For how long an account is left alone that refuses without saying until when: short at first, twice as long each time it refuses again soon after a pause.
/// What is refused while a pause runs, as all turns are that were under way, does not lengthen it.
/// </summary>
internal sealed class CoolDownBackoff(TimeProvider time)
{
    private const int MostKept = 1000;
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Remembered = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<(string AccountId, string? Model), Pause> _pauses = [];

    /// <summary>When the account's pause ends that begins with this refusal, or runs already.</summary>
    /// <param name="model">Null for the account as a whole.</param>
    /// <param name="first">How long its first one is.</param>
    public DateTimeOffset Until(string accountId, string? model, TimeSpan first)
    {
        var now = time.GetUtcNow();
        lock (_lock)
        {
            var length = first;
            if (_pauses.TryGetValue((accountId, model), out var last))
            {
                if (now < last.Until)
                {
                    return last.Until;
                }
                length = last.IsRemembered(now) ? TimeSpan.FromTicks(Math.Min(Math.Max(last.Length.Ticks * 2, first.Ticks), Longest.Ticks)) : first;
            }
            else if (_pauses.Count >= MostKept && !TryForget(now))
            {
                return now + first;
            }
            var pause = new Pause(now + length, length);
            _pauses[(accountId, model)] = pause;
            return pause.Until;
        }
    }

    private bool TryForget(DateTimeOffset now)
    {
        foreach (var (key, pause) in _pauses)
        {
            if (!pause.IsRemembered(now))
            {
                _pauses.Remove(key);
            }
        }
        return _pauses.Count < MostKept;
    }

    private readonly record struct Pause(DateTimeOffset Until, TimeSpan Length)
    {
        public bool IsRemembered(DateTimeOffset now) => now < Until + Length + Remembered;
    }
}

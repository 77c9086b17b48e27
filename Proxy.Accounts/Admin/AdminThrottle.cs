namespace Proxy.Accounts.Admin;

/// <summary>
/// Bounds how often the admin token can be guessed: so many wrong ones a minute from one caller, then none of that caller's is looked at for the rest of the minute. Callers
/// beyond those that are remembered share one count.
/// </summary>
internal sealed class AdminThrottle(TimeProvider time)
{
    private const int MostWrong = 10;
    private const int MostCallers = 1000;
    private const string AllOthers = "";
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _wrong = new(StringComparer.Ordinal);
    private long _began = time.GetTimestamp();

    /// <summary>For how long the caller's tokens are not looked at; null if they are.</summary>
    public TimeSpan? WaitOf(string caller)
    {
        lock (_lock)
        {
            BeginAnew();
            return _wrong.GetValueOrDefault(KeyOf(caller)) >= MostWrong ? Window - time.GetElapsedTime(_began) : null;
        }
    }

    /// <summary>The caller has shown a wrong token.</summary>
    public void NoteWrong(string caller)
    {
        lock (_lock)
        {
            BeginAnew();
            var key = KeyOf(caller);
            _wrong[key] = _wrong.GetValueOrDefault(key) + 1;
        }
    }

    private string KeyOf(string caller) => _wrong.Count < MostCallers || _wrong.ContainsKey(caller) ? caller : AllOthers;

    private void BeginAnew()
    {
        if (time.GetElapsedTime(_began) >= Window)
        {
            _wrong.Clear();
            _began = time.GetTimestamp();
        }
    }
}

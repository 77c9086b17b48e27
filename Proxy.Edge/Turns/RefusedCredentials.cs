namespace Proxy.Edge.Turns;

/// <summary>
/// Credentials that upstream has refused to one turn. One refusal may be that turn's own: only where another turn is refused too, and none was served
/// in between, is it the account's.
/// </summary>
internal sealed class RefusedCredentials(TimeProvider time)
{
    private const int MostKept = 1000;
    private static readonly TimeSpan Kept = TimeSpan.FromMinutes(5);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Seen> _refused = new(StringComparer.Ordinal);

    /// <summary>True if the account's credential was refused to another turn already.</summary>
    public bool IsCorroborated(string accountId, string credential, Guid turnId)
    {
        var now = time.GetTimestamp();
        var hash = credential.GetHashCode(StringComparison.Ordinal);
        lock (_lock)
        {
            if (_refused.TryGetValue(accountId, out var known) && known.CredentialHash == hash && known.TurnId != turnId && time.GetElapsedTime(known.At, now) < Kept)
            {
                return true;
            }
            if (_refused.Count >= MostKept)
            {
                _refused.Clear();
            }
            _refused[accountId] = new Seen(hash, turnId, now);
            return false;
        }
    }

    /// <summary>The account has served a turn: its credential is good.</summary>
    public void Served(string accountId)
    {
        lock (_lock)
        {
            _refused.Remove(accountId);
        }
    }

    private readonly record struct Seen(int CredentialHash, Guid TurnId, long At);
}

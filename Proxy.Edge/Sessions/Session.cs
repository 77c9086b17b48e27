using Proxy.Edge.Owners;
using Proxy.Edge.Recovery;

namespace Proxy.Edge.Sessions;

/// <summary>An account and its ownership domain.</summary>
internal sealed record SessionAccount(string Id, string Domain);

/// <summary>
/// What an edge holds of a scope: its claim, and the upstream sockets over which the scope's HTTP turns are carried. It lives as long as it has sockets or
/// turns, and then closes for good; the scope's next turn finds a new one.
/// </summary>
internal sealed class Session(SessionKey key, string keyId, SessionLease lease)
{
    private const int Closed = -1;

    private readonly Lock _sync = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private SessionSocket[] _sockets = [];
    // Sockets that are being opened, and turns that have found the session and are not done with it.
    private int _opening;
    private int _users;
    private bool _isLost;

    public SessionKey Key { get; } = key;

    /// <summary>The API key, or <c>anonymous</c>, whose session it is.</summary>
    public string KeyId { get; } = keyId;

    public SessionLease Lease { get; } = lease;

    /// <summary>Where the last socket was opened; the next turn prefers it.</summary>
    public SessionAccount? Account { get; set; }

    /// <summary>For one beside a scope's own: timestamp at which that was last asked for.</summary>
    public long ScopeAsked { get; set; }

    /// <summary>True once somebody has come back for a response that lives on a socket.</summary>
    public bool HasFollowUps { get; set; }

    /// <summary>True once another edge has claimed it.</summary>
    public bool IsLost => Volatile.Read(ref _isLost);

    /// <summary>Ends when the session is closed and its claim is given up.</summary>
    public Task WhenClosed => _closed.Task;

    /// <summary>Its sockets at this moment.</summary>
    public IReadOnlyList<SessionSocket> Sockets => Volatile.Read(ref _sockets);

    /// <summary>Keeps it from closing until <see cref="EndUse"/>; false if it is closed. To be called by the registry, which makes a lease of it.</summary>
    public bool TryUse()
    {
        lock (_sync)
        {
            _users += _users == Closed || IsLost ? 0 : 1;
            return _users != Closed && !IsLost;
        }
    }

    /// <summary>A turn that has used it is done.</summary>
    public void EndUse()
    {
        lock (_sync)
        {
            _users--;
        }
    }

    /// <summary>Closes it if nothing is left of it. Its claim is then to be given up, and after that <see cref="SetClosed"/> called.</summary>
    public bool TryClose()
    {
        lock (_sync)
        {
            if (_users != 0 || _opening != 0 || _sockets.Length != 0)
            {
                return false;
            }
            _users = Closed;
            return true;
        }
    }

    /// <summary>Lets those through who wait to open it anew.</summary>
    public void SetClosed() => _closed.TrySetResult();

    /// <summary>The socket on which a response was made that lives as long as it.</summary>
    public SessionSocket? Holding(string anchor) => Sockets.FirstOrDefault(socket => socket.Link.Holds(anchor));

    /// <summary>Makes room for one more socket; false at the limit.</summary>
    public bool TryReserve(int limit)
    {
        lock (_sync)
        {
            if (_sockets.Length + _opening >= limit)
            {
                return false;
            }
            _opening++;
            return true;
        }
    }

    /// <summary>What was reserved has come to a socket, or to none.</summary>
    public void Settle(SessionSocket? opened)
    {
        lock (_sync)
        {
            _opening--;
            _sockets = opened is null ? _sockets : [.. _sockets, opened];
        }
    }

    /// <summary>A socket has ended.</summary>
    public void Remove(SessionSocket ended)
    {
        lock (_sync)
        {
            _sockets = [.. _sockets.Where(socket => socket != ended)];
        }
    }

    /// <summary>Another edge has claimed it: whatever is on its sockets ends.</summary>
    public void Lose()
    {
        lock (_sync)
        {
            _isLost = true;
        }
        foreach (var socket in Sockets)
        {
            socket.Link.Cut(new RecoverySignal(SignalKind.SessionLost));
        }
    }
}

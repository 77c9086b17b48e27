using System.Collections.Concurrent;
using Simulator.Scripts;

namespace Simulator.Accounts;

/// <summary>One bearer token with its own counters; its ids belong to its <see cref="Organisation"/>.</summary>
public sealed class Account(string token, Organisation organisation)
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<Connection, bool> _connections = new();
    private int _turns, _upgrades, _requests;

    /// <summary>The token.</summary>
    public string Token { get; } = token;

    /// <summary>Where its ids are valid.</summary>
    public Organisation Organisation { get; internal set; } = organisation;

    /// <summary>Turns in flight.</summary>
    public int InFlight { get; private set; }

    /// <summary>Most turns that were in flight at once.</summary>
    public int Peak { get; private set; }

    /// <summary>Turns that have begun so far.</summary>
    public int Turns => Volatile.Read(ref _turns);

    /// <summary>WebSockets that are open.</summary>
    public int OpenSockets => _connections.Keys.Count(connection => connection.IsSocket);

    internal IEnumerable<Connection> Connections => _connections.Keys;

    internal int Next(Surface surface) => surface switch
    {
        Surface.Upgrade => Interlocked.Increment(ref _upgrades),
        Surface.Request => Interlocked.Increment(ref _requests),
        _ => Interlocked.Increment(ref _turns),
    };

    internal void Opened(Connection connection) => _connections[connection] = true;

    internal void Closed(Connection connection) => _connections.TryRemove(connection, out _);

    internal void TurnStarted()
    {
        lock (_lock)
        {
            InFlight++;
            Peak = Math.Max(Peak, InFlight);
        }
    }

    internal void TurnEnded()
    {
        lock (_lock)
        {
            InFlight--;
        }
    }
}

/// <summary>Something of an account that can be killed: a request in flight or a WebSocket.</summary>
internal abstract class Connection
{
    /// <summary>Whether it is a WebSocket.</summary>
    public virtual bool IsSocket => false;

    /// <summary>Resets the TCP connection.</summary>
    public abstract void Abort();
}

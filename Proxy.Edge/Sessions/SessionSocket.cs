using Proxy.Accounts.Contracts;
using Proxy.Edge.Routing;

namespace Proxy.Edge.Sessions;

/// <summary>One upstream socket of a session. It carries one turn at a time: upstream keeps only the latest response of a socket's lane.</summary>
/// <param name="headers">Those of the upgrade's answer that clients get with their answers.</param>
internal sealed class SessionSocket(UpstreamLink link, AdmittedAccount account, IHeaderDictionary headers, TimeProvider time)
{
    // Whoever waits is let through in the order it came, and bounded by its own deadline. Never disposed: a waiter may come late.
    private readonly SemaphoreSlim _turn = new(1);
    private long _lastUsed = time.GetTimestamp();
    private int _waiting;
    private int _hasRoom = 1;

    /// <summary>Why this edge has closed it; null while it has not.</summary>
    public string? CloseReason { get; private set; }

    public UpstreamLink Link { get; } = link;

    public AdmittedAccount Account { get; } = account;

    public IHeaderDictionary Headers { get; } = headers;

    /// <summary>Timestamp of its last turn's end.</summary>
    public long LastUsed => Volatile.Read(ref _lastUsed);

    public TimeSpan Idle => time.GetElapsedTime(LastUsed);

    /// <summary>Turns that wait for it.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Takes it if no turn is on it.</summary>
    public bool TryEnter() => _turn.Wait(0, CancellationToken.None);

    /// <summary>Takes it when it is this turn's; false if <paramref name="limit"/> others wait already.</summary>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    public async Task<bool> EnterAsync(int limit, CancellationToken cancellationToken)
    {
        if (TryEnter())
        {
            return true;
        }
        if (Interlocked.Increment(ref _waiting) > limit)
        {
            Interlocked.Decrement(ref _waiting);
            return false;
        }
        try
        {
            await _turn.WaitAsync(cancellationToken);
            return true;
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>Takes no more turns, and ends when the one that is on it has.</summary>
    public void Close(string reason)
    {
        CloseReason = reason;
        Link.Retire();
    }

    /// <summary>It is not counted any more; true the first time.</summary>
    public bool TryGiveRoomBack() => Interlocked.Exchange(ref _hasRoom, 0) == 1;

    /// <summary>The turn is done with it.</summary>
    public void Exit()
    {
        Volatile.Write(ref _lastUsed, time.GetTimestamp());
        _turn.Release();
    }
}

using System.Collections.Concurrent;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Downstream;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>
/// One upstream socket of a client's socket. Its pump scans each event, gives it to the turn of its lane, and sends it on.
/// </summary>
/// <param name="lane">The only lane it carries, where the account has no lanes of its own; the lane's name is then ours to add and to take away.</param>
internal sealed class UpstreamLink(MessageSocket upstream, MessageSocket client, AdmittedAccount account, string? lane, TurnEvents events)
{
    private const string DefaultLane = "";

    private readonly ConcurrentDictionary<string, SocketTurn> _active = new(StringComparer.Ordinal);
    private volatile bool _isClosed;

    public AdmittedAccount Account { get; } = account;

    /// <summary>True when the socket is gone; a turn needs another one.</summary>
    public bool IsClosed => _isClosed;

    /// <summary>True once a response was created here whose id dies with the socket.</summary>
    public bool HoldsLocalIds { get; private set; }

    /// <summary>Sends a turn's frame. Its events come to it until it has ended.</summary>
    /// <returns>Null, or why it could not be sent.</returns>
    public async Task<ApiError?> SendAsync(SocketTurn turn, CancellationToken cancellationToken)
    {
        var laneName = turn.Turn.Request.StreamId ?? DefaultLane;
        _active[laneName] = turn;
        // The pump may have ended between the check and the entry; it looks at the entries after it has said so.
        if (_isClosed || !await upstream.SendAsync(FrameOf(turn), cancellationToken))
        {
            _active.TryRemove(new KeyValuePair<string, SocketTurn>(laneName, turn));
            return Errors.SocketCut(upstream.CloseCode);
        }
        return null;
    }

    /// <summary>Passes a frame that is not a turn.</summary>
    public Task PassAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken) =>
        upstream.SendAsync(lane is null ? frame : StreamIds.Strip(frame.Span), cancellationToken);

    /// <summary>A turn has ended: events of its lane are no longer its own.</summary>
    public void Forget(SocketTurn turn) => _active.TryRemove(new KeyValuePair<string, SocketTurn>(turn.Turn.Request.StreamId ?? DefaultLane, turn));

    /// <summary>Cuts the socket: the only way to stop what runs on it.</summary>
    public void Abort() => upstream.Abort();

    /// <summary>Relays until the upstream socket ends; then all its turns have ended too.</summary>
    public async Task PumpAsync(CancellationToken cancellationToken)
    {
        using var message = new PooledBody(initialCapacity: 4096);
        try
        {
            while (true)
            {
                var kind = await upstream.ReceiveAsync(message, cancellationToken);
                if (kind == MessageKind.Closed || kind == MessageKind.TooLarge)
                {
                    EndAll(kind == MessageKind.Closed ? Errors.SocketCut(upstream.CloseCode) : Errors.EventTooLarge);
                    return;
                }
                // Clients take a binary frame for an error of the protocol.
                if (kind == MessageKind.Text && !await RelayAsync(message, cancellationToken))
                {
                    EndAll(Errors.ClientLeft);
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            EndAll(Errors.ClientLeft);
        }
        finally
        {
            upstream.Abort();
            upstream.Dispose();
        }
    }

    private async Task<bool> RelayAsync(PooledBody message, CancellationToken cancellationToken)
    {
        if (TurnOf(message.Span) is not { } turn)
        {
            return await client.SendAsync(EventOf(message), cancellationToken);
        }
        turn.Deadline?.Progress();
        var head = events.Observe(turn.Turn, message.Span);
        if (head.Kind == EventKind.Created)
        {
            HoldsLocalIds |= !turn.Turn.Request.Store;
        }
        if (!head.IsTerminal)
        {
            return await client.SendAsync(EventOf(message), cancellationToken);
        }
        await events.EndAsync(turn.Turn, head.Kind, EventScanner.ReadFacts(message.Span));
        Forget(turn);
        var isSent = await client.SendAsync(EventOf(message), cancellationToken);
        turn.TryEnd(null);
        return isSent;
    }

    // With one turn on the socket its lane need not be read: every event is that turn's.
    private SocketTurn? TurnOf(ReadOnlySpan<byte> json)
    {
        if (lane is not null)
        {
            return _active.GetValueOrDefault(lane);
        }
        if (_active.Count == 1 && _active.TryGetValue(DefaultLane, out var sole))
        {
            return sole;
        }
        return _active.GetValueOrDefault(EventScanner.ReadStreamId(json) ?? DefaultLane);
    }

    private void EndAll(ApiError error)
    {
        _isClosed = true;
        foreach (var turn in _active.Values)
        {
            turn.TryEnd(error);
        }
        _active.Clear();
    }

    private bool NamesLane => lane is { Length: > 0 };

    private ReadOnlyMemory<byte> FrameOf(SocketTurn turn) => NamesLane ? StreamIds.Strip(turn.Frame.Span) : turn.Frame.Memory;

    private ReadOnlyMemory<byte> EventOf(PooledBody message) => NamesLane ? StreamIds.Insert(message.Span, lane!) : message.Memory;
}

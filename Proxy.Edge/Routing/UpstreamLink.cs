using System.Collections.Concurrent;
using Proxy.Accounts.Contracts;
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
    private readonly ConcurrentDictionary<string, SocketTurn> _active = new(StringComparer.Ordinal);
    private volatile bool _hasNamedLanes;
    private volatile bool _isAborted;
    private volatile bool _isClosed;

    public AdmittedAccount Account { get; } = account;

    /// <summary>True when the socket is gone; a turn needs another one.</summary>
    public bool IsClosed => _isClosed;

    /// <summary>True when the socket ended by itself while nothing ran on it.</summary>
    public bool DiedIdle { get; private set; }

    /// <summary>True once a response was created here whose id dies with the socket.</summary>
    public bool HoldsLocalIds { get; private set; }

    /// <summary>Sends a turn's frame. Its events come to it until it has ended.</summary>
    /// <returns>Null, or why it could not be sent.</returns>
    public async Task<ApiError?> SendAsync(SocketTurn turn, CancellationToken cancellationToken)
    {
        var laneName = turn.Turn.Request.StreamId ?? Lane.Default;
        _hasNamedLanes |= laneName != Lane.Default;
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

    /// <summary>Stops a turn. There is only one way to stop what runs on a socket: to cut it.</summary>
    public void Abort(SocketTurn turn)
    {
        Forget(turn);
        _isAborted = true;
        upstream.Abort();
    }

    /// <summary>Relays until the upstream socket ends; then all its turns have ended too.</summary>
    public async Task PumpAsync(CancellationToken cancellationToken)
    {
        using var message = new PooledBody(initialCapacity: 4096);
        var reason = Errors.InternalFault;
        try
        {
            reason = await RelayAllAsync(message, cancellationToken);
            DiedIdle = _active.IsEmpty && !_isAborted;
        }
        catch (OperationCanceledException)
        {
            reason = Errors.ClientLeft;
        }
        finally
        {
            EndAll(reason);
            upstream.Abort();
            upstream.Dispose();
        }
    }

    private async Task<ApiError> RelayAllAsync(PooledBody message, CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (await upstream.ReceiveAsync(message, cancellationToken))
            {
                case MessageKind.Closed:
                    return Errors.SocketCut(upstream.CloseCode);
                case MessageKind.TooLarge:
                    return Errors.EventTooLarge;
                case MessageKind.Text when !await RelayAsync(message, cancellationToken):
                    return Errors.ClientLeft;
                default:
                    // A binary message does not go on: clients take it for an error of the protocol.
                    break;
            }
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

    // Where there is only one lane, the event's need not be read.
    private SocketTurn? TurnOf(ReadOnlySpan<byte> json) =>
        _active.GetValueOrDefault(lane ?? (_hasNamedLanes ? EventScanner.ReadStreamId(json) : null) ?? Lane.Default);

    private void Forget(SocketTurn turn) => _active.TryRemove(new KeyValuePair<string, SocketTurn>(turn.Turn.Request.StreamId ?? Lane.Default, turn));

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

using System.Net.WebSockets;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Downstream;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns.Recovery;

namespace Proxy.Edge.Routing;

/// <summary>
/// One upstream socket, of a client's socket or of a session. Its pump scans each event, finds the turn it belongs to, and sends it on; an error goes
/// to the turn's own task, which decides what the client is told.
/// </summary>
/// <param name="lane">The only lane it carries, where the account has no lanes of its own; the lane's name is then ours to add and to take away.</param>
/// <param name="strays">Where events go that are of no turn, such as telemetry; null drops them.</param>
/// <param name="drainsAbandoned">
/// A turn whose client has left runs to its end upstream, heard by nobody, and the socket lives on. Otherwise the socket is cut: it is that client's own.
/// </param>
internal sealed class UpstreamLink(
    MessageSocket upstream, AdmittedAccount account, string? lane, IEventSink? strays, bool drainsAbandoned, SocketServices services)
{
    private static readonly TimeSpan GoodbyeBound = TimeSpan.FromSeconds(2);

    private readonly SocketAttempts _attempts = new(lane);
    private readonly LocalIds _localIds = new();
    private volatile bool _isRetired;
    private volatile bool _isClosed;
    private volatile RecoverySignal? _cutFor;
    private readonly TaskCompletionSource _pumped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _saysGoodbye;
    private Task _goodbye = Task.CompletedTask;

    public AdmittedAccount Account { get; } = account;

    /// <summary>False when the socket is gone or takes no more turns; a turn needs another one.</summary>
    public bool IsOpen => !_isClosed && !_isRetired;

    /// <summary>True when the socket ended by itself while nothing ran on it.</summary>
    public bool DiedIdle { get; private set; }

    /// <summary>True once a response has ended here whose id dies with the socket.</summary>
    public bool HoldsLocalIds => !_localIds.IsEmpty;

    /// <summary>True if the response was made here and lives as long as the socket.</summary>
    public bool Holds(string anchor) => IsOpen && _localIds.Contains(anchor);

    /// <summary>Sends a turn's frame and waits for its end.</summary>
    /// <returns>Null when the terminal event was relayed; else what happened instead.</returns>
    public async Task<RecoverySignal?> RunAsync(SocketAttempt attempt, ReadOnlyMemory<byte> frame)
    {
        _attempts.Add(attempt);
        // The pump may have ended between the check and the entry; it looks at the entries after it has said so.
        if (!IsOpen)
        {
            Remove(attempt);
            attempt.Turn.Unsend();
            return new RecoverySignal(SignalKind.NotWritten);
        }
        try
        {
            attempt.Turn.Send();
            attempt.Deadline.Sent();
            // Where it fails the pump finds the socket closed, too, and says so.
            await upstream.SendAsync(NamesLane ? StreamIds.Strip(frame.Span) : frame, attempt.Deadline.Token);
            return await attempt.Ended.WaitAsync(attempt.Deadline.Token);
        }
        catch (OperationCanceledException) when (attempt.Deadline.Token.IsCancellationRequested)
        {
            // There is only one way to stop what runs on a socket: to cut it. Where others run on it, what still comes of the one is dropped, and
            // the socket ends with the last of the others.
            var isAlone = _attempts.IsAlone(attempt);
            if (!attempt.TryAbandon(out var wasCreated))
            {
                // It has ended just now, and its end is on its way.
                return await attempt.Ended;
            }
            var reason = attempt.Deadline.Reason;
            if (!drainsAbandoned || reason != SignalKind.ClientLeft)
            {
                Retire();
            }
            return new RecoverySignal(reason == SignalKind.NotCreated && wasCreated ? SignalKind.Idle : reason, IsAlone: isAlone);
        }
    }

    /// <summary>Passes a frame that is not a turn.</summary>
    public Task PassAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken) =>
        upstream.SendAsync(NamesLane ? StreamIds.Strip(frame.Span) : frame, cancellationToken);

    /// <summary>Takes no more turns; closes when those that run have ended.</summary>
    public void Retire()
    {
        _isRetired = true;
        CloseIfDrained();
    }

    /// <summary>Retires if the way a turn has ended says that another socket may serve what this one will not.</summary>
    public void RetireAfter(RecoverySignal? signal, Anchor anchor)
    {
        // What a socket has forgotten, or will not serve any more, another one may.
        if (anchor != Anchor.Local && signal?.Error?.Kind is UpstreamErrorKind.PreviousResponseNotFound or UpstreamErrorKind.ConnectionLimit or UpstreamErrorKind.Authentication)
        {
            Retire();
        }
    }

    /// <summary>Ends the socket, and by the signal all that is on it.</summary>
    public void Cut(RecoverySignal signal)
    {
        _cutFor = signal;
        _isRetired = true;
        upstream.Abort();
    }

    /// <summary>Relays until the upstream socket ends; then all its turns have ended too.</summary>
    public async Task PumpAsync(CancellationToken cancellationToken)
    {
        using var message = new PooledBody(initialCapacity: 4096);
        var signal = new RecoverySignal(SignalKind.Fault);
        try
        {
            signal = await RelayAllAsync(message, cancellationToken);
            DiedIdle = _attempts.IsEmpty;
        }
        catch (OperationCanceledException)
        {
            signal = new RecoverySignal(SignalKind.ClientLeft);
        }
        finally
        {
            _isClosed = true;
            _attempts.EndAll(_cutFor ?? signal);
            _pumped.SetResult();
            await _goodbye;
            upstream.Abort();
            upstream.Dispose();
        }
    }

    private async Task<RecoverySignal> RelayAllAsync(PooledBody message, CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (await upstream.ReceiveAsync(message, cancellationToken))
            {
                case MessageKind.Closed:
                    return new RecoverySignal(SignalKind.Broken, CloseCode: upstream.CloseCode);
                case MessageKind.TooLarge:
                    return new RecoverySignal(SignalKind.EventTooLarge);
                case MessageKind.Text when !await RelayAsync(message, cancellationToken):
                    return new RecoverySignal(SignalKind.ClientLeft);
                default:
                    // A binary message does not go on: clients take it for an error of the protocol.
                    break;
            }
        }
    }

    // False when the client is gone.
    private async Task<bool> RelayAsync(PooledBody message, CancellationToken cancellationToken)
    {
        var head = EventScanner.ReadHead(message.Span);
        if (head.IsTerminal || head.Kind == EventKind.Created)
        {
            return await RelayLifecycleAsync(head, message, cancellationToken);
        }
        if (_attempts.OnLaneOf(message.Span) is { } attempt)
        {
            if (attempt.IsAbandoned)
            {
                return true;
            }
            if (head.Kind == EventKind.Delta)
            {
                attempt.Deadline.Created();
            }
            attempt.Deadline.Progress();
            services.Events.Relay(attempt.Turn, head, message.Span);
        }
        else if (head.Kind == EventKind.Delta || head.SequenceNumber is not null)
        {
            // Of a response that has ended for the client, or that it has not asked for.
            services.Telemetry.CountSwallowed("stray");
            return true;
        }
        else
        {
            return strays is null || await strays.SendAsync(head, EventOf(message), cancellationToken);
        }
        return await attempt.Client.SendAsync(head, EventOf(message), cancellationToken);
    }

    private async Task<bool> RelayLifecycleAsync(EventHead head, PooledBody message, CancellationToken cancellationToken)
    {
        var facts = ResponseFactsReader.Read(message.Span);
        var matches = _attempts.Match(head.Kind, message.Span, facts);
        if (matches.Count == 0)
        {
            // An idle client would take it for the answer to its next turn.
            services.Telemetry.CountSwallowed(facts.Error?.Reason ?? "foreign");
            if (facts.Error is { Kind: UpstreamErrorKind.ConnectionLimit })
            {
                Retire();
            }
            return true;
        }
        if (head.Kind is EventKind.Failed or EventKind.Error)
        {
            foreach (var attempt in matches)
            {
                Fail(attempt, facts, message);
            }
            return true;
        }
        return await RelayAsync(matches[0], head, facts, message, cancellationToken);
    }

    private async Task<bool> RelayAsync(SocketAttempt attempt, EventHead head, ResponseFacts facts, PooledBody message, CancellationToken cancellationToken)
    {
        if (head.Kind == EventKind.Created)
        {
            attempt.ResponseId = facts.Id;
            if (!attempt.TryCreate())
            {
                return true;
            }
            attempt.Deadline.Created();
            if (attempt.Turn.WasCreatedBefore)
            {
                services.Events.Recreated(attempt.Turn, facts);
                return true;
            }
            services.Events.Relay(attempt.Turn, head, message.Span);
            return await attempt.Client.SendAsync(head, EventOf(message), cancellationToken);
        }
        // A steered response is followed by another one: it ends, its attempt does not.
        var isSteered = facts.IncompleteReason == "steered";
        if (isSteered ? attempt.IsAbandoned : !attempt.TryFinish())
        {
            attempt.Turn.Observe(facts);
            Remove(attempt);
            attempt.TryEnd(null);
            return true;
        }
        if (!await services.Events.EndAsync(attempt.Turn, head, facts))
        {
            Cut(new RecoverySignal(SignalKind.SessionLost));
            return true;
        }
        if (!attempt.Turn.Request.Store && facts.Id is { } id)
        {
            _localIds.Add(id);
        }
        if (isSteered)
        {
            var successor = services.Journal.Succeed(attempt.Turn);
            if (!attempt.TrySucceed(successor))
            {
                services.Journal.End(successor, TurnStatus.Cancelled, StatusCodes.Status499ClientClosedRequest);
            }
            attempt.Deadline.Progress();
            return await attempt.Client.SendAsync(head, EventOf(message), cancellationToken);
        }
        Remove(attempt);
        try
        {
            return await attempt.Client.SendAsync(head, EventOf(message), cancellationToken);
        }
        finally
        {
            // Also where the client has gone: the turn has ended all the same, and its task waits for this.
            attempt.TryEnd(null);
        }
    }

    private void Fail(SocketAttempt attempt, ResponseFacts facts, PooledBody message)
    {
        var isAlone = _attempts.IsAlone(attempt);
        Remove(attempt);
        if (attempt.TryFinish())
        {
            attempt.TryEnd(new RecoverySignal(SignalKind.Rejected, facts.Error ?? UpstreamError.Untold, IsAlone: isAlone) { Raw = EventOf(message).ToArray(), Facts = facts });
            return;
        }
        attempt.TryEnd(null);
    }

    private void Remove(SocketAttempt attempt)
    {
        _attempts.Remove(attempt);
        CloseIfDrained();
    }

    private void CloseIfDrained()
    {
        if (!_isRetired || _attempts.AnyoneWaits)
        {
            return;
        }
        if (_attempts.IsEmpty)
        {
            if (Interlocked.Exchange(ref _saysGoodbye, 1) == 0)
            {
                _goodbye = SayGoodbyeAsync();
            }
        }
        else
        {
            upstream.Abort();
        }
    }

    // The pump ends with upstream's own Close frame; an upstream that sends none is cut.
    private async Task SayGoodbyeAsync()
    {
        await upstream.CloseAsync(WebSocketCloseStatus.NormalClosure, "");
        await _pumped.Task.WaitAsync(GoodbyeBound, services.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        upstream.Abort();
    }

    private bool NamesLane => lane is { Length: > 0 };

    private ReadOnlyMemory<byte> EventOf(PooledBody message) => NamesLane ? StreamIds.Insert(message.Span, lane!) : message.Memory;
}

using Proxy.Accounts.Contracts;
using Proxy.Edge.Downstream;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Routing;

/// <summary>
/// One upstream socket, of a client's socket or of a session: turns are sent on it, and its pump relays what comes until it ends.
/// </summary>
internal sealed class UpstreamLink
{
    private readonly MessageSocket _upstream;
    private readonly bool _hasLanes;
    private readonly bool _drainsAbandoned;
    private readonly SocketAttempts _attempts;
    private readonly UpstreamSocketEnd _end;
    private readonly UpstreamEvents _events;
    private readonly LocalIds _localIds = new();
    private readonly MemoryShare _memory;
    private readonly TimeSpan _retireAfter;
    private readonly TimeProvider _time;
    private readonly long _opened;

    // Without lanes of its own it carries one turn at a time; a turn of another lane waits here. Never disposed: a waiter may come late.
    private readonly SemaphoreSlim _turn = new(1);

    /// <summary>See <see cref="UpstreamSockets"/>, which makes them.</summary>
    /// <param name="hasLanes">Its frames name their lanes; else it carries one turn at a time, and the names are ours to add and to take away.</param>
    /// <param name="strays">Where events go that are of no turn, such as telemetry; null drops them.</param>
    /// <param name="drainsAbandoned">
    /// A turn whose client has left runs to its end upstream, heard by nobody, and the socket lives on. Otherwise the socket is cut: it is that client's own.
    /// </param>
    /// <param name="memory">Room for what it receives.</param>
    /// <param name="retireAfter">Its age from which on it takes no more turns.</param>
    public UpstreamLink(
        MessageSocket upstream, AdmittedAccount account, bool hasLanes, IEventSink? strays, bool drainsAbandoned, Func<UpstreamLink, Turn, string, SocketAttempt?> follow,
        RelayServices relay, MemoryShare memory, TimeSpan retireAfter, TimeProvider time)
    {
        (_upstream, Account, _hasLanes, _drainsAbandoned) = (upstream, account, hasLanes, drainsAbandoned);
        (_memory, _retireAfter, _time, _opened) = (memory, retireAfter, time, time.GetTimestamp());
        _attempts = new SocketAttempts(hasLanes);
        _end = new UpstreamSocketEnd(upstream, _attempts, time);
        _events = new UpstreamEvents(_attempts, _end, _localIds, hasLanes, strays, (ended, lane) => follow(this, ended, lane), relay);
    }

    public AdmittedAccount Account { get; }

    /// <summary>True if it is soon to be cut by upstream: what begins on it might not end.</summary>
    public bool IsOld => _time.GetElapsedTime(_opened) >= _retireAfter;

    /// <summary>False when the socket is gone or takes no more turns; a turn needs another one.</summary>
    public bool IsOpen => _end.IsOpen;

    /// <summary>True when the socket ended by itself while nothing ran on it.</summary>
    public bool DiedIdle { get; private set; }

    /// <summary>True once a response has ended here whose id dies with the socket.</summary>
    public bool HoldsLocalIds => !_localIds.IsEmpty;

    /// <summary>True if the response was made here and lives as long as the socket.</summary>
    public bool Holds(string anchor) => IsOpen && _localIds.Contains(anchor);

    /// <summary>True if the response runs here, or was the last to end on its lane.</summary>
    public bool Knows(string responseId) => _attempts.Knows(responseId);

    /// <summary>True if a turn of the lane is on it.</summary>
    public bool Runs(string lane) => _attempts.RunsOn(lane);

    /// <summary>True if a turn is on it.</summary>
    public bool IsBusy => !_attempts.IsEmpty;

    /// <summary>Sends a turn's frame and waits for its end.</summary>
    /// <returns>Null when the terminal event was relayed; else what happened instead.</returns>
    /// <exception cref="OperationCanceledException">The turn's deadline, before it was sent.</exception>
    public async Task<RecoverySignal?> RunAsync(SocketAttempt attempt, ReadOnlyMemory<byte> frame)
    {
        if (_hasLanes)
        {
            return await SendAsync(attempt, frame);
        }
        await _turn.WaitAsync(attempt.Deadline.Token);
        try
        {
            return await SendAsync(attempt, frame);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<RecoverySignal?> SendAsync(SocketAttempt attempt, ReadOnlyMemory<byte> frame)
    {
        _attempts.Add(attempt);
        // The pump may have ended between the check and the entry; it looks at the entries after it has said so.
        if (!IsOpen)
        {
            _end.Remove(attempt);
            attempt.TurnAttempt.Response.NoteNotSent();
            return new RecoverySignal(SignalKind.NotWritten);
        }
        try
        {
            attempt.TurnAttempt.Response.NoteSent();
            attempt.Deadline.Sending(frame.Length);
            // Where it fails the pump finds the socket closed, too, and says so.
            await _upstream.SendAsync(_hasLanes || attempt.Lane.Length == 0 ? frame : StreamIds.Strip(frame.Span), attempt.Deadline.Token);
            attempt.Deadline.Sent();
        }
        catch (OperationCanceledException) when (attempt.Deadline.Token.IsCancellationRequested)
        {
            // Told below.
        }
        return await WaitAsync(attempt);
    }

    /// <summary>Waits for the end of a turn that is on the socket.</summary>
    /// <returns>Null when the terminal event was relayed; else what happened instead.</returns>
    public async Task<RecoverySignal?> WaitAsync(SocketAttempt attempt)
    {
        try
        {
            return await attempt.Ended.WaitAsync(attempt.Deadline.Token);
        }
        catch (OperationCanceledException) when (attempt.Deadline.Token.IsCancellationRequested)
        {
            // There is only one way to stop what runs on a socket: to cut it. Where others run on it, what still comes of the one is dropped, and
            // the socket ends with the last of the others.
            var isAlone = _attempts.IsAlone(attempt);
            if (attempt.Deadline is { AwaitsEnd: true, Reason: SignalKind.Idle } && attempt.TryFinish())
            {
                // After its error event nothing has come: that was its end, and the socket lives on.
                _attempts.NoteOver(attempt.ResponseId);
                _end.Remove(attempt);
                return new RecoverySignal(SignalKind.Idle, IsAlone: isAlone);
            }
            if (!attempt.TryAbandon(out var wasCreated))
            {
                // It has ended just now, and its end is on its way.
                return await attempt.Ended;
            }
            var reason = attempt.Deadline.Reason;
            if (!_drainsAbandoned || reason != SignalKind.ClientLeft)
            {
                Retire();
            }
            return new RecoverySignal(reason == SignalKind.NotCreated && wasCreated ? SignalKind.Idle : reason, IsAlone: isAlone);
        }
    }

    /// <summary>Passes a frame that is not a turn.</summary>
    public Task PassAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken) =>
        _upstream.SendAsync(_hasLanes ? frame : StreamIds.Strip(frame.Span), cancellationToken);

    /// <summary>Takes no more turns; closes when those that run have ended.</summary>
    public void Retire() => _end.Retire();

    /// <summary>Retires if the way a turn has ended says that another socket may serve what this one will not.</summary>
    public void RetireIfUseless(RecoverySignal? signal, Anchor anchor)
    {
        // What a socket has forgotten, or will not serve any more, another one may.
        if (anchor != Anchor.Local && signal?.Error?.Kind is UpstreamErrorKind.PreviousResponseNotFound or UpstreamErrorKind.ConnectionLimit or UpstreamErrorKind.Authentication)
        {
            Retire();
        }
    }

    /// <summary>Ends the socket, and by the signal all that is on it.</summary>
    public void Cut(RecoverySignal signal) => _end.Cut(signal);

    /// <summary>Relays until the upstream socket ends; then all its turns have ended too.</summary>
    public async Task PumpAsync(CancellationToken cancellationToken)
    {
        using var message = new PooledBody(initialCapacity: 4096, _memory, isHere: true);
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
            await _end.CloseAsync(signal);
        }
    }

    private async Task<RecoverySignal> RelayAllAsync(PooledBody message, CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (await _upstream.ReceiveAsync(message, cancellationToken))
            {
                case MessageKind.Closed:
                    return new RecoverySignal(SignalKind.Broken, CloseCode: _upstream.CloseCode);
                case MessageKind.TooLarge:
                    return new RecoverySignal(SignalKind.EventTooLarge);
                case MessageKind.Text when !await _events.RelayAsync(message, cancellationToken):
                    return new RecoverySignal(SignalKind.ClientLeft);
                default:
                    // A binary message does not go on: clients take it for an error of the protocol.
                    break;
            }
        }
    }
}

using Proxy.Edge.Callers;
using Proxy.Edge.Recovery;

namespace Proxy.Edge.Turns;

/// <summary>
/// What ends a turn from outside, in one token: its client leaves, its key ends, its slot is lost, the edge stops, or its time is up. The time runs from its acceptance and is
/// never extended, however often it is sent.
/// </summary>
internal sealed class TurnDeadline : IDisposable
{
    private readonly EdgeOptions _options;
    private readonly TimeProvider _time;
    private readonly long _accepted;
    private readonly CancellationToken _clientLeft;
    private readonly KeyUse _key;
    private readonly CancellationToken _drained;
    private readonly CancellationTokenSource _whole;
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _any;
    private CancellationTokenRegistration _lease;

    /// <param name="keys">Ends the turn with its caller's key.</param>
    /// <param name="drained">Canceled when the edge stops and waits no longer.</param>
    public TurnDeadline(Turn turn, EdgeOptions options, TimeProvider time, CancellationToken clientLeft, KeyWatch keys, CancellationToken drained)
    {
        (_options, _time, _accepted, _clientLeft, _drained) = (options, time, turn.Accepted.Timestamp, clientLeft, drained);
        _key = keys.Watch(turn.Caller.KeyId, grant => grant.Covers(turn.Account?.Name, turn.Request.Model));
        _whole = new CancellationTokenSource(TimeLeft, time);
        _any = CancellationTokenSource.CreateLinkedTokenSource(clientLeft, _key.Ended, drained, _lost.Token, _whole.Token);
    }

    public CancellationToken Token => _any.Token;

    public TimeSpan TimeLeft
    {
        get
        {
            var left = TimeSpan.FromSeconds(_options.TurnSeconds) - _time.GetElapsedTime(_accepted);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>Ends the turn, too, when its slot is lost.</summary>
    public void Watch(CancellationToken leaseLost)
    {
        _lease.Dispose();
        _lease = leaseLost.Register(static lost => ((CancellationTokenSource)lost!).Cancel(), _lost);
    }

    /// <summary>The limits of sending the turn once.</summary>
    public AttemptDeadline BeginAttempt() => new(this, _options, _time);

    /// <summary>Why the token was canceled.</summary>
    public SignalKind Reason =>
        _clientLeft.IsCancellationRequested ? SignalKind.ClientLeft
        : _key.Ended.IsCancellationRequested ? SignalKind.KeyEnded
        : _drained.IsCancellationRequested ? SignalKind.Draining
        : _lost.IsCancellationRequested ? SignalKind.LeaseLost
        : SignalKind.Deadline;

    public void Dispose()
    {
        // Waits for a callback that runs, so that it finds its source undisposed.
        _lease.Dispose();
        _any.Dispose();
        _key.Dispose();
        _lost.Dispose();
        _whole.Dispose();
    }
}

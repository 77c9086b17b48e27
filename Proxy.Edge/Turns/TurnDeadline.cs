using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>Everything that may stop a turn on its way, in one token, and which of it did.</summary>
internal sealed class TurnDeadline : IDisposable
{
    private static readonly TimeSpan LingerLimit = TimeSpan.FromSeconds(5);

    private readonly Turn _turn;
    private readonly CancellationToken _clientLeft;
    private readonly CancellationTokenSource _whole;
    private readonly CancellationTokenSource _idle;
    private readonly CancellationTokenSource _any;
    private readonly TimeSpan _idleLimit;

    public TurnDeadline(Turn turn, EdgeOptions options, TimeProvider time, CancellationToken clientLeft)
    {
        _turn = turn;
        _clientLeft = clientLeft;
        _idleLimit = TimeSpan.FromSeconds(options.IdleSeconds);
        var left = TimeSpan.FromSeconds(options.TurnSeconds) - time.GetElapsedTime(turn.AcceptedTimestamp);
        _whole = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, time);
        _idle = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _any = CancellationTokenSource.CreateLinkedTokenSource(clientLeft, turn.LeaseLost, _whole.Token, _idle.Token);
    }

    public CancellationToken Token => _any.Token;

    /// <summary>Upstream has shown itself: it may be silent for the whole idle limit again.</summary>
    public void Progress()
    {
        try
        {
            _idle.CancelAfter(_idleLimit);
        }
        catch (ObjectDisposedException)
        {
            // The turn was stopped while an event of it was on its way.
        }
    }

    /// <summary>The response has ended: what may still follow gets a few seconds.</summary>
    public void Linger() => _idle.CancelAfter(LingerLimit);

    /// <summary>Why the token was canceled.</summary>
    public ApiError Reason() =>
        _clientLeft.IsCancellationRequested ? Errors.ClientLeft
        : _turn.LeaseLost.IsCancellationRequested ? Errors.LeaseLost
        : _idle.IsCancellationRequested ? Errors.StreamIdle
        : Errors.UpstreamTimeout;

    public void Dispose()
    {
        _any.Dispose();
        _idle.Dispose();
        _whole.Dispose();
    }
}

using System.Net.WebSockets;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;

namespace Proxy.Edge.Routing;

/// <summary>How an upstream socket ends: retired, it closes with the last of what runs on it; cut, at once.</summary>
internal sealed class UpstreamSocketEnd(MessageSocket upstream, SocketAttempts attempts, TimeProvider time)
{
    private static readonly TimeSpan CloseBound = TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource _pumped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _closeHandshake = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isRetired;
    private volatile bool _isClosed;
    private volatile RecoverySignal? _cutFor;
    private int _closeBegan;

    /// <summary>False when the socket is gone or takes no more turns.</summary>
    public bool IsOpen => !_isClosed && !_isRetired;

    /// <summary>It takes no more turns, and closes when those that run have ended.</summary>
    public void Retire()
    {
        _isRetired = true;
        CloseIfDrained();
    }

    /// <summary>Ends it now, and by the signal all that is on it.</summary>
    public void Cut(RecoverySignal signal)
    {
        _cutFor = signal;
        _isRetired = true;
        upstream.Abort();
    }

    /// <summary>An attempt has ended; with the last for which somebody waits a retired socket closes.</summary>
    public void Remove(SocketAttempt attempt)
    {
        attempts.Remove(attempt);
        CloseIfDrained();
    }

    /// <summary>The pump's last act: all that was on the socket ends, by the signal unless it was cut for another.</summary>
    public async Task CloseAsync(RecoverySignal signal)
    {
        _isClosed = true;
        attempts.EndAll(_cutFor ?? signal);
        _pumped.SetResult();
        if (Interlocked.Exchange(ref _closeBegan, 1) == 1)
        {
            await _closeHandshake.Task;
        }
        upstream.Abort();
        upstream.Dispose();
    }

    private void CloseIfDrained()
    {
        if (!_isRetired || attempts.AnyoneWaits)
        {
            return;
        }
        if (!attempts.IsEmpty)
        {
            upstream.Abort();
        }
        else if (Interlocked.Exchange(ref _closeBegan, 1) == 0)
        {
            // CloseAsync waits for its end.
            _ = CompleteCloseHandshakeAsync();
        }
    }

    // The pump ends with upstream's own Close frame; an upstream that sends none is cut.
    private async Task CompleteCloseHandshakeAsync()
    {
        try
        {
            await upstream.CloseAsync(WebSocketCloseStatus.NormalClosure, "");
            await _pumped.Task.WaitAsync(CloseBound, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            upstream.Abort();
        }
        finally
        {
            _closeHandshake.SetResult();
        }
    }
}

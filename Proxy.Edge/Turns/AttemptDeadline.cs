using Proxy.Edge.Recovery;

namespace Proxy.Edge.Turns;

/// <summary>
/// What ends one attempt at a turn: the turn's deadline, and upstream's silence. Until <c>response.created</c> nothing else counts as a sign of
/// life: telemetry and keep-alives come from an upstream that will never begin, too.
/// </summary>
internal sealed class AttemptDeadline : IDisposable
{
    private static readonly TimeSpan LingerLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(2);

    // A link to upstream that takes less than this is none.
    private const int SlowestBytesPerSecond = 32 << 10;

    private const int HasLeft = 1;
    private const int HasBegun = 2;

    private readonly TurnDeadline _turn;
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TimeSpan _createdLimit;
    private readonly TimeSpan _idleLimit;
    private readonly CancellationTokenSource _silence;
    private readonly CancellationTokenSource _any;
    private volatile bool _isCreated;
    private volatile bool _awaitsEnd;
    private volatile bool _lingers;
    private int _milestones;

    internal AttemptDeadline(TurnDeadline turn, EdgeOptions options, TimeProvider time)
    {
        _turn = turn;
        _createdLimit = TimeSpan.FromSeconds(options.CreatedSeconds);
        _idleLimit = TimeSpan.FromSeconds(options.IdleSeconds);
        _silence = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _any = CancellationTokenSource.CreateLinkedTokenSource(turn.Token, _silence.Token);
    }

    public CancellationToken Token => _any.Token;

    /// <summary>Of the whole turn.</summary>
    public TimeSpan TimeLeft => _turn.TimeLeft;

    /// <summary>Ends when the turn has left whole and its response has begun; never, if it does not come to that.</summary>
    public Task Begun => _begun.Task;

    /// <summary>True after <see cref="AwaitEnd"/>.</summary>
    public bool AwaitsEnd => _awaitsEnd;

    /// <summary>The turn is being sent, which takes as long as the link does: upstream owes nothing yet.</summary>
    public void Sending(int bytes) => _silence.CancelAfter(_createdLimit + TimeSpan.FromSeconds(bytes / SlowestBytesPerSecond));

    /// <summary>The turn has left whole: its response has to be created in time, unless it has been already.</summary>
    public void Sent()
    {
        if (!_isCreated)
        {
            Expect(_createdLimit);
        }
        Reach(HasLeft);
    }

    /// <summary>The turn has left whole, and is answered in one piece: that takes as long as the whole turn may.</summary>
    public void SentForWholeAnswer() => Expect(Timeout.InfiniteTimeSpan);

    /// <summary>The milestone has come, and the turn has been told; from here on upstream may be silent for as long as an idle one may.</summary>
    public void Created()
    {
        if (!_isCreated)
        {
            _isCreated = true;
            Progress();
            Reach(HasBegun);
        }
    }

    /// <summary>Upstream has shown itself; before the milestone that changes nothing.</summary>
    public void Progress()
    {
        if (!_isCreated || _lingers)
        {
            return;
        }
        Expect(_awaitsEnd ? EndLimit : _idleLimit);
    }

    /// <summary>An error event has come: the response's end may follow, but soon.</summary>
    public void AwaitEnd()
    {
        (_isCreated, _awaitsEnd) = (true, true);
        Progress();
    }

    /// <summary>The response has ended, and the client has it whole: what may still follow gets a few seconds, however lively it is.</summary>
    public void Linger()
    {
        _lingers = true;
        _silence.CancelAfter(LingerLimit);
    }

    // Either may be the later: upstream may answer while it is still being sent to.
    private void Reach(int milestone)
    {
        if ((Interlocked.Or(ref _milestones, milestone) | milestone) == (HasLeft | HasBegun))
        {
            _begun.TrySetResult();
        }
    }

    private void Expect(TimeSpan limit)
    {
        try
        {
            _silence.CancelAfter(limit);
        }
        catch (ObjectDisposedException)
        {
            // The turn was stopped while an event of it was on its way.
        }
    }

    /// <summary>Why the token was canceled.</summary>
    public SignalKind Reason =>
        _turn.Token.IsCancellationRequested ? _turn.Reason
        : _isCreated ? SignalKind.Idle
        : SignalKind.NotCreated;

    public void Dispose()
    {
        _any.Dispose();
        _silence.Dispose();
    }
}

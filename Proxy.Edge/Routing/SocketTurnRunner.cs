using Proxy.Edge.Downstream;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>
/// Runs the turns of one client's socket. A turn is sent, and sent once more where <see cref="RecoveryPolicy"/> says so, by the task of its
/// lane, which holds nothing meanwhile that another lane could wait for.
/// </summary>
internal sealed partial class SocketTurnRunner(SocketServices services, MessageSocket client, UpstreamLinks links, CancellationToken clientEnded) : IDisposable
{
    private const int MaxInFlight = 16;

    private readonly SemaphoreSlim _inFlight = new(MaxInFlight);
    private readonly SocketEvents _events = new(client);
    private readonly RunningTasks _followed = new();
    private readonly TimeSpan _keepAlive = TimeSpan.FromSeconds(services.Options.Value.KeepAliveSeconds);
    private volatile string? _currentAccountId;
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    // Turns accepted and not ended; below zero once no more are taken.
    private int _accepted;
    private volatile bool _isDraining;

    /// <summary>The account that the socket's last turn was on: where nothing is demanded, the next one goes there too.</summary>
    public string? CurrentAccountId
    {
        get => _currentAccountId;
        set => _currentAccountId = value;
    }

    /// <summary>A turn comes, and <see cref="RunAsync"/> will end it; false once the socket is closed to turns.</summary>
    public bool TryAccept()
    {
        var accepted = Volatile.Read(ref _accepted);
        while (accepted >= 0 && !_isDraining)
        {
            var before = Interlocked.CompareExchange(ref _accepted, accepted + 1, accepted);
            if (before == accepted)
            {
                return true;
            }
            accepted = before;
        }
        return false;
    }

    /// <summary>A turn that was accepted has ended, or does not run after all.</summary>
    public void Dismiss()
    {
        if (Interlocked.Decrement(ref _accepted) == 0 && _isDraining && TryClose())
        {
            _drained.TrySetResult();
        }
    }

    /// <summary>Takes no more turns, and ends when those that were accepted have.</summary>
    public Task DrainAsync()
    {
        _isDraining = true;
        if (TryClose())
        {
            _drained.TrySetResult();
        }
        return _drained.Task;
    }

    /// <summary>Takes no more turns; false while there are any.</summary>
    public bool TryClose() => Interlocked.CompareExchange(ref _accepted, int.MinValue, 0) == 0;

    public void Dispose() => _inFlight.Dispose();

    /// <summary>Runs a turn to its end. Never throws: a lane that stopped for one turn would leave those behind it without an answer.</summary>
    public async Task RunAsync(SocketTurn turn)
    {
        using var deadline = new TurnDeadline(turn.Turn, services.Options.Value, services.Time, clientEnded, services.Keys, services.Drain.Over);
        var hasPlace = false;
        try
        {
            hasPlace = await KeepAliveAsync(turn.Turn, EnterAsync(deadline.Token));
            await RunToEndAsync(turn, deadline);
        }
        catch (OperationCanceledException) when (deadline.Token.IsCancellationRequested)
        {
            await RecoverAsync(turn, new RecoverySignal(deadline.Reason), deadline);
        }
        catch (Exception exception)
        {
            LogFault(services.Logger, exception, turn.Turn.Id);
            await RecoverAsync(turn, new RecoverySignal(SignalKind.Fault), deadline);
        }
        finally
        {
            if (hasPlace)
            {
                _inFlight.Release();
            }
            services.Journal.Release(turn.Last);
            services.Journal.Release(turn.Turn);
            Dismiss();
        }
    }

    /// <summary>Tells the client something that is about no turn, or about one that never came to be.</summary>
    public Task TellAsync(ApiError error, string? streamId) => SendAsync(ErrorEvents.ErrorFrame(error, streamId));

    /// <summary>Tells the client that what it is about does not run here, in upstream's words.</summary>
    public Task TellNotRunningAsync(TurnRequest request, string responseId) => SendAsync(request.Type == WireTypes.Steer
        ? ErrorEvents.SteerFailedFrame($"steer_{Guid.CreateVersion7():N}", responseId)
        : ErrorEvents.ErrorFrame(Errors.ResponseNotRunning(responseId), request.StreamId));

    /// <summary>
    /// Upstream has begun another response by itself behind one that has ended, as it does with steering that came late: that is a turn of its own. Null if the socket takes
    /// no more turns.
    /// </summary>
    public SocketAttempt? Follow(UpstreamLink link, Turn ended, string lane)
    {
        if (!TryAccept())
        {
            return null;
        }
        var turn = new SocketTurn(services.Journal.BeginSuccessor(ended), new PooledBody(initialCapacity: 1));
        var deadline = new TurnDeadline(turn.Turn, services.Options.Value, services.Time, clientEnded, services.Keys, services.Drain.Over);
        var attempt = new SocketAttempt(turn.Turn, lane, deadline.BeginAttempt(), _events);
        _followed.Add(FollowAsync(link, turn, attempt, deadline));
        return attempt;
    }

    /// <summary>Ends when all turns have that upstream began by itself.</summary>
    public Task WhenFollowedAsync() => _followed.WhenEndedAsync();

    private async Task FollowAsync(UpstreamLink link, SocketTurn turn, SocketAttempt attempt, TurnDeadline deadline)
    {
        using (turn)
        using (deadline)
        using (attempt.Deadline)
        {
            try
            {
                var slot = services.Admission.JoinAsync(turn.Turn, deadline);
                var signal = await link.WaitAsync(attempt);
                turn.Last = attempt.Turn;
                await slot;
                if (signal is not null)
                {
                    await RecoverAsync(turn, signal, deadline);
                }
            }
            catch (Exception exception)
            {
                LogFault(services.Logger, exception, turn.Turn.Id);
                await RecoverAsync(turn, new RecoverySignal(SignalKind.Fault), deadline);
            }
            finally
            {
                services.Journal.Release(turn.Last);
                services.Journal.Release(turn.Turn);
                Dismiss();
            }
        }
    }

    private async Task RunToEndAsync(SocketTurn turn, TurnDeadline deadline)
    {
        var (error, signal) = await KeepAliveAsync(turn.Turn, services.Admission.ResolveAsync(turn.Turn, deadline));
        if (error is not null)
        {
            await EndAsync(turn.Turn, error);
            return;
        }
        signal ??= turn.Turn.Route.Anchor == Anchor.Local && !links.Holds(turn.Turn.Request.PreviousResponseId!)
            ? new RecoverySignal(SignalKind.AnchorGone)
            : await KeepAliveAsync(turn.Turn, services.Admission.AdmitAsync(turn.Turn, CurrentAccountId, deadline));
        do
        {
            signal ??= await AttemptAsync(turn, deadline);
            if (signal is null || !await RecoverAsync(turn, signal, deadline))
            {
                return;
            }
            signal = null;
        }
        while (true);
    }

    private async Task<bool> EnterAsync(CancellationToken cancellationToken)
    {
        await _inFlight.WaitAsync(cancellationToken);
        return true;
    }

    // Null when the turn's terminal event was relayed.
    private async Task<RecoverySignal?> AttemptAsync(SocketTurn turn, TurnDeadline deadline)
    {
        using var limits = deadline.BeginAttempt();
        UpstreamLink? link;
        RecoverySignal? signal;
        try
        {
            (link, signal) = await KeepAliveAsync(turn.Turn, links.GetAsync(turn.Turn, turn.Lane, limits.Token));
        }
        catch (OperationCanceledException) when (limits.Token.IsCancellationRequested)
        {
            return new RecoverySignal(limits.Reason);
        }
        if (link is null)
        {
            return signal;
        }
        CurrentAccountId = link.Account.Id;
        var attempt = new SocketAttempt(turn.Turn, turn.Lane, limits, _events);
        signal = await KeepAliveAsync(
            turn.Turn, link.RunAsync(attempt, RequestSplices.For(turn.Turn, turn.Frame.Memory)).GiveBackWhenBegunAsync(limits, turn.Turn, turn.Frame));
        turn.Last = attempt.Turn;
        link.RetireAfter(signal, turn.Turn.Route.Anchor);
        return signal;
    }

    // True when the turn is to be sent once more; else the client has been told.
    private async Task<bool> RecoverAsync(SocketTurn turn, RecoverySignal signal, TurnDeadline deadline)
    {
        if (await services.Events.TryEndPassedAsync(turn.Last, signal))
        {
            return false;
        }
        var decision = await KeepAliveAsync(turn.Last, services.Recovery.HandleAsync(turn.Last, signal, deadline));
        switch (decision)
        {
            case null:
                return true;
            case { Action: RecoveryAction.Surface }:
                await services.Events.SurfaceAsync(turn.Last, signal.Error, signal.Error?.Status ?? StatusCodes.Status200OK);
                await SendAsync(ErrorEvents.WithStatus(signal.Raw));
                return false;
            case { Action: RecoveryAction.RunsOn }:
                await services.Events.EndAsync(turn.Last, decision.Tell!);
                await SendAsync(ErrorEvents.ErrorFrame(decision.Tell!, turn.Turn.Request.StreamId));
                return false;
            default:
                await EndAsync(turn.Last, decision.Tell!);
                return false;
        }
    }

    private async Task EndAsync(Turn turn, ApiError error)
    {
        await services.Events.EndAsync(turn, error);
        await SendAsync(turn.HasBegun
            ? ErrorEvents.FailedFrame(error, turn.ResponseId, turn.LastSequence + 1, turn.Request.StreamId)
            : ErrorEvents.ErrorFrame(error, turn.Request.StreamId));
    }

    // Codex takes any JSON event for a keep-alive, and nothing else; an event of ours must not be numbered among upstream's.
    private Task<T> KeepAliveAsync<T>(Turn turn, Task<T> work) => KeepAlive.AwaitAsync(
        work, _keepAlive, services.Time, () => turn is { IsCodex: true, HasBegun: false }, () => SendAsync(ErrorEvents.KeepAliveFrame(turn.Request.StreamId)));

    private async Task SendAsync(ReadOnlyMemory<byte> frame)
    {
        try
        {
            await client.SendAsync(frame, clientEnded);
        }
        catch (OperationCanceledException)
        {
            // Nobody is there to be told.
        }
    }

    [LoggerMessage(430, LogLevel.Error, "A fault in turn {TurnId} on a client's socket")]
    private static partial void LogFault(ILogger logger, Exception exception, Guid turnId);
}

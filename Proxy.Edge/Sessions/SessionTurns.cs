using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Answers;
using Proxy.Edge.Downstream;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Routing;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Sessions;

/// <summary>Sends HTTP turns over the sockets of sessions.</summary>
internal sealed class SessionTurns(
    SessionRegistry registry, SessionSockets sockets, SessionLeases leases, TurnJournal journal, MemoryBudget memory, Drain drain, IOptions<SessionsOptions> options, TimeProvider time)
{
    private readonly RunningTasks _drained = new();

    /// <summary>Sends the turn once, which uses the session already; null when the client has its answer or is gone, else what happened instead.</summary>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    public async Task<RecoverySignal?> AttemptAsync(HttpRequest from, HttpAnswer answer, Turn turn, Session session, PooledBody body, string path, TurnDeadline deadline)
    {
        using var limits = deadline.BeginAttempt();
        try
        {
            switch (await answer.KeepAliveAsync(leases.CheckAsync(session, limits.Token).AsTask()))
            {
                case LeaseState.Lost:
                    return new RecoverySignal(SignalKind.NotWritten);
                case LeaseState.Unknown when session.Key.Strength == ScopeStrength.Hard:
                    return new RecoverySignal(SignalKind.SessionUnknown);
            }
            var (socket, signal) = await answer.KeepAliveAsync(sockets.TakeAsync(turn, session, from, path, limits.Token));
            return socket is null ? Held(answer, turn, signal!) : await SendAsync(answer, turn, session, socket, body, limits);
        }
        catch (OperationCanceledException) when (limits.Token.IsCancellationRequested)
        {
            return new RecoverySignal(limits.Reason);
        }
    }

    /// <summary>A turn that has used a session is done with it.</summary>
    public void EndUse(Session session)
    {
        session.EndUse();
        if (session.Sockets.Count == 0)
        {
            registry.NoteEmptied();
        }
    }

    /// <summary>Ends when nothing runs upstream any more whose client has left.</summary>
    public Task WhenDrainedAsync() => _drained.WhenEndedAsync();

    private async Task<RecoverySignal?> SendAsync(HttpAnswer answer, Turn turn, Session session, SessionSocket socket, PooledBody body, AttemptDeadline limits)
    {
        using var frame = new PooledBody(initialCapacity: 4096, memory.Of(turn.Caller.KeyId));
        var events = new HttpEvents(answer, turn, socket.Headers);
        var attempt = new SocketAttempt(turn, LaneQueue.Default, limits, events);
        try
        {
            if (!TryWriteFrame(turn, body, frame))
            {
                // Over plain HTTP it needs no copy.
                return new RecoverySignal(SignalKind.NoSessionSocket);
            }
            var signal = await answer.KeepAliveAsync(socket.Link.RunAsync(attempt, frame.Memory).GiveBackWhenBegunAsync(limits, turn, body, frame), events.SendKeepAliveAsync);
            socket.Link.RetireAfter(signal, turn.Route.Anchor);
            return signal is null ? null : Held(answer, turn, signal);
        }
        finally
        {
            await events.CloseAsync();
            if (attempt.IsAbandoned && socket.Link.IsOpen)
            {
                turn.IsDrained = true;
                _drained.Add(DrainAsync(turn, session, socket, attempt));
            }
            else
            {
                sockets.Return(session, socket, drain.Noticed.IsCancellationRequested);
            }
        }
    }

    // The client has left, and the only way to stop what runs on a socket is to cut it, with all that lives on it. So it runs on for a while: socket, slot and
    // log row stay the turn's until upstream is done with it, or its time is over.
    private async Task DrainAsync(Turn turn, Session session, SessionSocket socket, SocketAttempt attempt)
    {
        await ((Task)attempt.Ended).WaitAsync(TimeSpan.FromSeconds(options.Value.AbandonedTurnSeconds), time, drain.Over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!attempt.Ended.IsCompleted)
        {
            socket.Link.Cut(new RecoverySignal(SignalKind.ClientLeft));
        }
        journal.End(turn, turn.PassedError is null ? TurnStatus.Cancelled : TurnStatus.Failed, StatusCodes.Status499ClientClosedRequest);
        journal.Release(turn);
        sockets.Return(session, socket, drain.Noticed.IsCancellationRequested);
        EndUse(session);
    }

    private static RecoverySignal Held(HttpAnswer answer, Turn turn, RecoverySignal signal)
    {
        if (signal.Kind == SignalKind.Rejected)
        {
            HttpEvents.Hold(answer, turn, signal.Raw, signal.Error);
        }
        return signal;
    }

    // A copy of the body; false where its key has no room for one.
    private static bool TryWriteFrame(Turn turn, PooledBody body, PooledBody frame)
    {
        var request = RequestSplices.For(turn, body.Memory).Span;
        if (!frame.TryReserve(request.Length + JsonSplices.FrameBytes))
        {
            return false;
        }
        JsonSplices.WriteAsFrame(turn.Request.StreamId is null ? request : StreamIds.Strip(request), frame);
        return true;
    }
}

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
    SessionSockets sockets, SessionLeases leases, TurnJournal journal, MemoryBudget memory, Drain drain, IOptions<SessionsOptions> options, TimeProvider time)
{
    private readonly RunningTasks _drained = new();

    /// <summary>Sends the turn once; null when the client has its answer or is gone, else what happened instead.</summary>
    /// <param name="slot">The turn with its slot; taken over with the session where the client leaves and the turn runs on.</param>
    /// <param name="session">Used by the turn.</param>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    public async Task<RecoverySignal?> AttemptAsync(
        HttpRequest from, HttpAnswer answer, TurnAttempt attempt, Lease<Turn> slot, Lease<Session> session, PooledBody body, string path, TurnDeadline deadline)
    {
        using var limits = deadline.BeginAttempt();
        try
        {
            switch (await answer.KeepAliveAsync(leases.CheckAsync(session.Value, limits.Token).AsTask()))
            {
                case LeaseState.Lost:
                    return new RecoverySignal(SignalKind.NotWritten);
                case LeaseState.Unknown when session.Value.Key.Strength == ScopeStrength.Hard:
                    return new RecoverySignal(SignalKind.SessionUnknown);
            }
            (var socket, var signal) = await answer.KeepAliveAsync(sockets.TakeAsync(attempt, session.Value, from, path, limits.Token));
            using (socket)
            {
                return socket is null ? Held(answer, attempt.Turn, signal!) : await SendAsync(answer, attempt, slot, session, socket, body, limits);
            }
        }
        catch (OperationCanceledException) when (limits.Token.IsCancellationRequested)
        {
            return new RecoverySignal(limits.Reason);
        }
    }

    /// <summary>Ends when nothing runs upstream any more whose client has left.</summary>
    public Task WhenDrainedAsync() => _drained.WhenEndedAsync();

    private async Task<RecoverySignal?> SendAsync(
        HttpAnswer answer, TurnAttempt turnAttempt, Lease<Turn> slot, Lease<Session> session, Lease<SessionSocket> socket, PooledBody body, AttemptDeadline limits)
    {
        var turn = turnAttempt.Turn;
        var link = socket.Value.Link;
        using var frame = new PooledBody(initialCapacity: 4096, memory.Of(turn.Caller.KeyId));
        if (!TryWriteFrame(turn, body, frame))
        {
            // Over plain HTTP it needs no copy.
            return new RecoverySignal(SignalKind.NoSessionSocket);
        }
        var events = new HttpEvents(answer, turn, socket.Value.Headers);
        var attempt = new SocketAttempt(turnAttempt, LaneQueue.Default, limits, events);
        RecoverySignal? signal;
        try
        {
            signal = await answer.KeepAliveAsync(link.RunAsync(attempt, frame.Memory).GiveBackWhenBegunAsync(limits, turn, body, frame), events.SendKeepAliveAsync);
            link.RetireIfUseless(signal, turn.Route.Anchor);
        }
        finally
        {
            await events.CloseAsync();
        }
        if (attempt.IsAbandoned && link.IsOpen)
        {
            _drained.Add(DrainAsync(attempt, slot.Move(), session.Move(), socket.Move()));
            return null;
        }
        return signal is null ? null : Held(answer, turn, signal);
    }

    // The client has left, and the only way to stop what runs on a socket is to cut it, with all that lives on it. So it runs on for a while: socket, slot and
    // log row stay the turn's until upstream is done with it, or its time is over.
    private async Task DrainAsync(SocketAttempt attempt, Lease<Turn> slot, Lease<Session> session, Lease<SessionSocket> socket)
    {
        using (session)
        using (socket)
        using (slot)
        {
            await ((Task)attempt.Ended).WaitAsync(TimeSpan.FromSeconds(options.Value.AbandonedTurnSeconds), time, drain.Over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!attempt.Ended.IsCompleted)
            {
                socket.Value.Link.Cut(new RecoverySignal(SignalKind.ClientLeft));
            }
            journal.End(slot.Value, slot.Value.Response.Passed is null ? TurnStatus.Cancelled : TurnStatus.Failed, StatusCodes.Status499ClientClosedRequest);
        }
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

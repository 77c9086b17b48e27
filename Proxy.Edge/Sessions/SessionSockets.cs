using Microsoft.Extensions.Options;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Routing;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Sessions;

/// <summary>
/// The upstream sockets of all sessions: finds a turn the one it may run on, opens what is missing, and runs each until it ends.
/// </summary>
internal sealed partial class SessionSockets(
    SessionRegistry registry, SocketRoom room, UpstreamSockets sockets, SessionMetrics metrics, Drain drain, IOptions<SessionsOptions> options, TimeProvider time, ILogger<SessionSockets> logger)
{
    // Of the headers of a request those that say nothing about a socket.
    private static readonly string[] OfRequest = ["accept", "idempotency-key"];

    // Of the headers of an upgrade's answer those that stay true for every turn on its socket.
    private static readonly string[] OfSocket = [WireHeaders.TurnState, WireHeaders.ModelsEtag, WireHeaders.ReasoningIncluded];

    private const int EnoughWithoutFollowUps = 8;

    private readonly RunningTasks _running = new();

    private SessionsOptions Limits => options.Value;

    /// <summary>A socket of the session on the turn's account, the turn's until the lease is disposed; or why there is none.</summary>
    /// <exception cref="OperationCanceledException">The attempt's deadline.</exception>
    public async Task<(Lease<SessionSocket>? Socket, RecoverySignal? Signal)> TakeAsync(TurnAttempt attempt, Session session, HttpRequest from, string path, CancellationToken cancellationToken)
    {
        var (socket, signal) = await TakeUnleasedAsync(attempt, session, from, path, cancellationToken);
        return (socket is null ? null : new Lease<SessionSocket>(socket, taken => Return(session, taken)), signal);
    }

    private async Task<(SessionSocket?, RecoverySignal?)> TakeUnleasedAsync(TurnAttempt attempt, Session session, HttpRequest from, string path, CancellationToken cancellationToken)
    {
        var turn = attempt.Turn;
        if (turn.Route.Anchor == Anchor.Local)
        {
            return await TakeHoldingAsync(session, turn.Request.PreviousResponseId!, cancellationToken);
        }
        // A turn that is sent once more wants no part in what went wrong.
        if (turn.Replays == 0 && TakeIdle(session, turn, socket => IsFree(session, socket)) is { } free)
        {
            return (free, null);
        }
        if (session.TryReserve(Limits.MaxSocketsPerScope))
        {
            return await OpenAsync(attempt, session, from, path, cancellationToken);
        }
        if (TakeIdle(session, turn, _ => true) is { } used)
        {
            return (used, null);
        }
        return !UsableBy(session, turn).Any() && TryEvictIdle(session) && session.TryReserve(Limits.MaxSocketsPerScope)
            ? await OpenAsync(attempt, session, from, path, cancellationToken)
            : await QueueAsync(session, turn, cancellationToken);
    }

    /// <summary>Closes the sockets of a session that have had their time, or, on the way out, all that are idle.</summary>
    public void Sweep(Session session, bool isDraining)
    {
        foreach (var socket in session.Sockets)
        {
            var reason = isDraining ? "drained" : ReasonToClose(session, socket, isIdle: true);
            if (reason is not null && socket.TryEnter())
            {
                socket.Close(reason);
                socket.Exit();
            }
        }
    }

    /// <summary>Ends when all sockets have.</summary>
    public Task WhenEndedAsync() => _running.WhenEndedAsync();

    // The turn is done with its socket; one that has had its time is closed.
    private void Return(Session session, SessionSocket socket)
    {
        if ((drain.Noticed.IsCancellationRequested ? "drained" : ReasonToClose(session, socket, isIdle: false)) is { } reason)
        {
            socket.Close(reason);
        }
        socket.Exit();
    }

    private async Task<(SessionSocket?, RecoverySignal?)> TakeHoldingAsync(Session session, string anchor, CancellationToken cancellationToken)
    {
        if (session.Holding(anchor) is not { } home)
        {
            return (null, new RecoverySignal(SignalKind.AnchorGone));
        }
        // One that ends meanwhile takes no turn any more, and says so.
        return await home.EnterAsync(Limits.QueueLimit, cancellationToken) ? (home, null) : (null, new RecoverySignal(SignalKind.SessionsBusy));
    }

    private SessionSocket? TakeIdle(Session session, Turn turn, Predicate<SessionSocket> isFit)
    {
        foreach (var socket in UsableBy(session, turn).Where(socket => isFit(socket)).OrderBy(socket => socket.LastUsed))
        {
            if (!socket.TryEnter())
            {
                continue;
            }
            if (socket.Link.IsOpen)
            {
                return socket;
            }
            socket.Exit();
        }
        return null;
    }

    // The conversation has moved to another account: what is idle on the one before is of less use than a socket where it is now.
    private bool TryEvictIdle(Session session)
    {
        foreach (var socket in session.Sockets.OrderBy(socket => socket.LastUsed))
        {
            if (!socket.TryEnter())
            {
                continue;
            }
            session.Remove(socket);
            room.TryReturn(socket);
            socket.Close("evicted");
            socket.Exit();
            return true;
        }
        return false;
    }

    private async Task<(SessionSocket?, RecoverySignal?)> QueueAsync(Session session, Turn turn, CancellationToken cancellationToken)
    {
        var shortest = UsableBy(session, turn).MinBy(socket => socket.Waiting);
        if (shortest is null)
        {
            return (null, new RecoverySignal(SignalKind.NoSessionSocket));
        }
        if (!await shortest.EnterAsync(Limits.QueueLimit, cancellationToken))
        {
            return (null, new RecoverySignal(SignalKind.SessionsBusy));
        }
        return (shortest, null);
    }

    private IEnumerable<SessionSocket> UsableBy(Session session, Turn turn) =>
        session.Sockets.Where(socket => socket.Account.Id == turn.Account!.Id && socket.Link is { IsOpen: true, IsOld: false });

    // Upstream keeps the latest response of a socket only: a new conversation pushes out the one before, which may go on. In a scope that is one conversation it
    // has begun anew. In others each has a socket of its own, unless nobody ever comes back for what lives on one: then a few are enough.
    private static bool IsFree(Session session, SessionSocket socket) =>
        session.Key.Strength == ScopeStrength.Hard || !socket.Link.HoldsLocalIds || (!session.HasFollowUps && session.Sockets.Count >= EnoughWithoutFollowUps);

    // The session has room for it; that room is given back with the socket's end, or here.
    private async Task<(SessionSocket?, RecoverySignal?)> OpenAsync(TurnAttempt attempt, Session session, HttpRequest from, string path, CancellationToken cancellationToken)
    {
        SessionSocket? opened = null;
        try
        {
            if (!room.TryTake())
            {
                return (null, new RecoverySignal(SignalKind.SessionsBusy));
            }
            (opened, var signal) = await ConnectAsync(attempt, session, from, path, cancellationToken);
            return (opened, signal);
        }
        finally
        {
            session.Settle(opened);
            if (opened is not null)
            {
                _running.Add(RunAsync(session, opened));
            }
        }
    }

    private async Task<(SessionSocket?, RecoverySignal?)> ConnectAsync(TurnAttempt attempt, Session session, HttpRequest from, string path, CancellationToken cancellationToken)
    {
        MessageSocket? upstream = null;
        try
        {
            (upstream, var told, var signal) = await sockets.OpenAsync(attempt, from, path, session.Key.Name, cancellationToken, OfRequest);
            if (upstream is null)
            {
                return (null, signal);
            }
            var headers = new HeaderDictionary();
            foreach (var name in OfSocket.Where(told.ContainsKey))
            {
                headers[name] = told[name];
            }
            var account = attempt.Account;
            var socket = new SessionSocket(sockets.LinkForSession(upstream, account), account, headers, time);
            socket.TryEnter();
            session.Account = new SessionAccount(account.Id, account.Domain);
            metrics.CountSocket(1);
            return (socket, null);
        }
        finally
        {
            if (upstream is null)
            {
                room.Return();
            }
        }
    }

    private async Task RunAsync(Session session, SessionSocket socket)
    {
        try
        {
            if (session.IsLost)
            {
                socket.Link.Cut(new RecoverySignal(SignalKind.SessionLost));
            }
            // Nothing cancels it: whoever wants it to end cuts the socket, and says why.
            await socket.Link.PumpAsync(CancellationToken.None);
        }
        catch (Exception exception)
        {
            LogFault(logger, exception);
        }
        session.Remove(socket);
        room.TryReturn(socket);
        metrics.CountSocket(-1);
        metrics.CountSocketEnd(socket.CloseReason ?? "upstream");
        registry.NoteEmptied();
    }

    private string? ReasonToClose(Session session, SessionSocket socket, bool isIdle)
    {
        var idle = session.Key.Strength switch
        {
            ScopeStrength.Hard => Limits.HardIdleSeconds,
            ScopeStrength.Locality => Limits.LocalityIdleSeconds,
            _ => Limits.SoftIdleSeconds,
        };
        return socket.Link.IsOld ? "old"
            : isIdle && socket.Idle.TotalSeconds >= idle ? "idle"
            : null;
    }

    [LoggerMessage(433, LogLevel.Error, "A fault while relaying a session's upstream socket")]
    private static partial void LogFault(ILogger logger, Exception exception);
}

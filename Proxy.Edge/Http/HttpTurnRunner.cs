using Microsoft.Extensions.Options;
using Proxy.Edge.Answers;
using Proxy.Edge.Callers;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Sessions;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;
using ServiceDefaults.Http;

namespace Proxy.Edge.Http;

/// <summary>
/// A turn over HTTP, which goes on over plain HTTP or a session's socket:
/// <code>
/// 1 accept -> 2 resolve, and find its place -> 3 admit -> 4 send -> 5 answer: an error, one JSON object, or events -> 6 end
///                 '-> or send on to its session's edge      ^---- once more, where the recovery policy says so ----'
/// </code>
/// Whatever happens on the way, the turn ends once and its slot is freed.
/// </summary>
internal sealed partial class HttpTurnRunner(
    TurnAdmission admission, TurnRecovery recovery, TurnEvents events, TurnJournal journal, UpstreamHandlers handlers, SseRelay sse, JsonRelay json,
    SessionPlaces places, SessionTurns sessions, SessionForwarding forwarding, KeyWatch keys, Drain drain, IOptions<EdgeOptions> options, TimeProvider time, ILogger<HttpTurnRunner> logger)
{
    /// <summary>Runs an accepted turn (step 1 is the caller's) to its end.</summary>
    /// <param name="path">Below the account's base URL.</param>
    /// <param name="forwardedFor">The session for which another edge has sent it here; it is then not sent on again.</param>
    public async Task RunAsync(HttpContext context, Turn turn, PooledBody body, string path, string? forwardedFor = null)
    {
        var answer = new HttpAnswer(context, turn, TimeSpan.FromSeconds(options.Value.KeepAliveSeconds), time);
        using var deadline = new TurnDeadline(turn, options.Value, time, context.RequestAborted, keys, drain.Over);
        try
        {
            await RunToEndAsync(context, answer, turn, body, path, forwardedFor, deadline);
        }
        catch (OperationCanceledException) when (deadline.Token.IsCancellationRequested)
        {
            await RecoverAsync(answer, turn, new RecoverySignal(deadline.Reason), deadline);
        }
        catch (Exception exception)
        {
            LogFault(exception, turn.Id);
            await RecoverAsync(answer, turn, new RecoverySignal(SignalKind.Fault), deadline);
        }
        finally
        {
            if (!turn.IsDrained)
            {
                journal.Release(turn);
            }
        }
    }

    private async Task RunToEndAsync(
        HttpContext context, HttpAnswer answer, Turn turn, PooledBody body, string path, string? forwardedFor, TurnDeadline deadline)
    {
        // :: Step 2
        var (error, signal) = await answer.KeepAliveAsync(admission.ResolveAsync(turn, deadline));
        if (error is not null)
        {
            await EndAsync(answer, turn, error);
            return;
        }
        if (await FindPlaceAsync(context, turn, body, path, forwardedFor, signal, deadline) is not { } place)
        {
            turn.Activity?.Dispose();
            return;
        }
        try
        {
            // :: Step 3
            turn.Claim = place.Session?.Lease.Claim;
            signal = place.Signal ?? await answer.KeepAliveAsync(admission.AdmitAsync(turn, place.Session?.Account?.Id, deadline));
            do
            {
                // :: Steps 4 and 5
                signal ??= await AttemptAsync(context.Request, answer, turn, body, path, place.Session, deadline);
                // :: Step 6
                if (signal is null || turn.IsDrained || !await RecoverAsync(answer, turn, signal, deadline))
                {
                    return;
                }
                signal = null;
                if (place.Session is { IsLost: true } lost)
                {
                    sessions.EndUse(lost);
                    place = places.WithoutHolder(turn);
                }
            }
            while (true);
        }
        finally
        {
            if (place.Session is { } session && !turn.IsDrained)
            {
                sessions.EndUse(session);
            }
        }
    }

    // Null when the turn was another edge's to run, or is not this one's: then it has been answered.
    private async Task<SessionPlace?> FindPlaceAsync(
        HttpContext context, Turn turn, PooledBody body, string path, string? forwardedFor, RecoverySignal? signal, TurnDeadline deadline)
    {
        if (signal is not null)
        {
            return new SessionPlace(Signal: signal);
        }
        var place = await places.FindAsync(turn, path, forwardedFor, deadline.Token);
        if (ReferenceEquals(place, SessionPlace.Misdirected))
        {
            context.Response.Headers[WireHeaders.Forwarded] = "not held";
            await Errors.Misdirected.WriteAsync(context);
            return null;
        }
        if (place.Elsewhere is not { } holder)
        {
            return place;
        }
        switch (await forwarding.SendAsync(context, turn, body.Memory, holder, deadline))
        {
            case ForwardOutcome.Served:
                return null;
            case ForwardOutcome.NotThere:
                return places.WithoutHolder(turn);
            default:
                return new SessionPlace(Signal: new RecoverySignal(SignalKind.Broken));
        }
    }

    private Task<RecoverySignal?> AttemptAsync(HttpRequest from, HttpAnswer answer, Turn turn, PooledBody body, string path, Session? session, TurnDeadline deadline)
    {
        if (session is not null && turn.Account!.WebSockets && !turn.GoesOverHttp)
        {
            turn.Claim = session.Lease.Claim;
            return sessions.AttemptAsync(from, answer, turn, session, body, path, deadline);
        }
        turn.Claim = null;
        return AttemptAsync(from, answer, turn, body, path, deadline);
    }

    // Null when the client has its answer.
    private async Task<RecoverySignal?> AttemptAsync(HttpRequest from, HttpAnswer answer, Turn turn, PooledBody body, string path, TurnDeadline deadline)
    {
        using var limits = deadline.BeginAttempt();
        var bytes = RequestSplices.For(turn, body.Memory);
        using var request = UpstreamRequests.Post(turn.Account!, path, from, bytes, RequestSplices.DropsTurnState(turn), turn.Request.Stream ? limits.Sent : limits.SentForWholeAnswer);
        HttpResponseMessage response;
        try
        {
            turn.Send();
            limits.Sending(bytes.Length);
            response = await answer.KeepAliveAsync(handlers.For(turn.Account!.Id).SendAsync(request, limits.Token));
        }
        catch (HttpRequestException exception) when (UpstreamRequests.WasNotSent(exception))
        {
            turn.Unsend();
            return new RecoverySignal(SignalKind.Unreachable);
        }
        catch (HttpRequestException)
        {
            return new RecoverySignal(SignalKind.Broken) { IsUnanswered = true };
        }
        catch (OperationCanceledException) when (limits.Token.IsCancellationRequested)
        {
            return new RecoverySignal(limits.Reason);
        }
        catch (OperationCanceledException)
        {
            // The handler's own limit for connecting.
            turn.Unsend();
            return new RecoverySignal(SignalKind.Unreachable);
        }
        using (response)
        {
            events.GaveTurnState(turn.Caller, turn.Scope, turn.Account, HeaderPolicy.ValueOf(response, WireHeaders.TurnState));
            return await (HeaderPolicy.IsEventStream(response)
                ? sse.RelayAsync(answer, turn, response, limits).GiveBackWhenBegunAsync(limits, turn, body)
                : json.RelayAsync(answer, turn, response, limits));
        }
    }

    // True when the turn is to be sent once more; else the client has been told.
    private async Task<bool> RecoverAsync(HttpAnswer answer, Turn turn, RecoverySignal signal, TurnDeadline deadline)
    {
        if (await events.TryEndPassedAsync(turn, signal))
        {
            return false;
        }
        var decision = await answer.KeepAliveAsync(recovery.HandleAsync(turn, signal, deadline));
        switch (decision)
        {
            case null:
                return true;
            case { Action: RecoveryAction.Surface }:
                await events.SurfaceAsync(turn, signal.Error, signal.Error!.Status ?? StatusCodes.Status200OK);
                await answer.SurfaceAsync(signal.Error);
                return false;
            case { Action: RecoveryAction.RunsOn } when turn.Request.Stream:
                await events.EndAsync(turn, decision.Tell!);
                return false;
            default:
                await EndAsync(answer, turn, decision.Tell!);
                return false;
        }
    }

    private async Task EndAsync(HttpAnswer answer, Turn turn, ApiError error)
    {
        await events.EndAsync(turn, error);
        await answer.TellAsync(error);
    }

    [LoggerMessage(432, LogLevel.Error, "A fault in turn {TurnId} over HTTP")]
    private partial void LogFault(Exception exception, Guid turnId);
}

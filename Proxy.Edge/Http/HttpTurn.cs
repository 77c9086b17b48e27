using Proxy.Edge.Answers;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Sessions;
using Proxy.Edge.Turns;
using ServiceDefaults.Http;

namespace Proxy.Edge.Http;

/// <summary>The ways that a turn over HTTP may go: over plain HTTP, over a session's socket, or to the edge that holds its session.</summary>
internal sealed record HttpWays(PlainAttempts Plain, SessionPlaces Places, SessionTurns Sessions, SessionForwarding Forwarding);

/// <summary>A turn over HTTP, until its request is answered.</summary>
/// <param name="slot">The turn, and its slot of an account; others may take it over, see <see cref="SessionTurns"/>.</param>
/// <param name="path">Below the account's base URL.</param>
/// <param name="forwardedFor">The session for which another edge has sent it here; it is then not sent on again.</param>
internal sealed class HttpTurn(HttpContext context, HttpAnswer answer, Lease<Turn> slot, PooledBody body, string path, string? forwardedFor, HttpWays ways) : ITurnSurface, IDisposable
{
    private Lease<Session>? _session;
    private bool _wasAttempted;

    public Turn Turn => slot.Value;

    public string? CurrentAccountId => _session?.Value.Account?.Id;

    public Task<T> KeepAliveAsync<T>(Task<T> work) => answer.KeepAliveAsync(work);

    public Task EnterAsync(TurnDeadline deadline) => Task.CompletedTask;

    public async Task<Placement> PlaceAsync(TurnDeadline deadline)
    {
        var place = await ways.Places.FindAsync(Turn, path, forwardedFor, deadline.Token);
        if (place is SessionPlace.Misdirected)
        {
            context.Response.Headers[WireHeaders.Forwarded] = "not held";
            await Errors.Misdirected.WriteAsync(context);
            return new Placement(IsAnswered: true);
        }
        if (place is SessionPlace.Elsewhere { Holder: var holder })
        {
            switch (await ways.Forwarding.SendAsync(context, Turn, body.Memory, holder, deadline))
            {
                case ForwardOutcome.Served:
                    return new Placement(IsAnswered: true);
                case ForwardOutcome.NotThere:
                    place = ways.Places.WithoutHolder(Turn);
                    break;
                default:
                    return new Placement(Signal: new RecoverySignal(SignalKind.Broken));
            }
        }
        return new Placement(Signal: Adopt(place));
    }

    public Task<RecoverySignal?> AttemptAsync(TurnDeadline deadline)
    {
        if (_wasAttempted && _session is { Value.IsLost: true } lost)
        {
            lost.Dispose();
            _session = null;
            // Never nowhere: what is bound to a socket is not sent once more.
            _ = Adopt(ways.Places.WithoutHolder(Turn));
        }
        _wasAttempted = true;
        var attempt = Turn.BeginAttempt();
        if (_session is { } session && attempt.Account.WebSockets && !Turn.GoesOverHttp)
        {
            Turn.CarryBy(session.Value.Lease.Claim);
            return ways.Sessions.AttemptAsync(context.Request, answer, attempt, slot, session, body, path, deadline);
        }
        Turn.CarryBy(null);
        return ways.Plain.AttemptAsync(context.Request, answer, attempt, body, path, deadline);
    }

    public Task SurfaceAsync(RecoverySignal rejected) => answer.SurfaceAsync(rejected.Error!);

    public Task TellAsync(ApiError error) => answer.TellAsync(error);

    // A stream just ends, and can be taken up again.
    public Task TellRunsOnAsync(ApiError error) => Turn.Request.Stream ? Task.CompletedTask : answer.TellAsync(error);

    public void Dispose()
    {
        _session?.Dispose();
        slot.Dispose();
    }

    // Null when it is here.
    private RecoverySignal? Adopt(SessionPlace place)
    {
        switch (place)
        {
            case SessionPlace.OnSession { Session: var session }:
                _session = session;
                Turn.CarryBy(session.Value.Lease.Claim);
                return null;
            case SessionPlace.Plain:
                return null;
            case SessionPlace.Nowhere { Signal: var nowhere }:
                return nowhere;
            default:
                throw new InvalidOperationException($"The turn is not to run here: {place.GetType().Name}.");
        }
    }
}

using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Downstream;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;

namespace Proxy.Edge.Routing;

/// <summary>What the relaying of a socket's events needs.</summary>
internal sealed record RelayServices(TurnEvents Events, TurnRecovery Recovery, TurnJournal Journal, TurnTelemetry Telemetry);

/// <summary>Opens upstream sockets for turns, and makes links of them.</summary>
internal sealed class UpstreamSockets(UpstreamConnector connector, RelayServices relay, MemoryBudget memory, IOptions<EdgeOptions> options, TimeProvider time)
{
    /// <summary>A socket to the account that the turn was given, with the headers of its upgrade; or why there is none.</summary>
    /// <param name="from">The client's request, whose headers go along.</param>
    /// <param name="path">Below the account's base URL.</param>
    /// <param name="session">Whose socket it is to be; null for a client's own.</param>
    /// <param name="except">Headers that say something of the request and nothing of a socket.</param>
    /// <exception cref="OperationCanceledException">The attempt's deadline.</exception>
    public async Task<(MessageSocket? Socket, IHeaderDictionary Headers, RecoverySignal? Signal)> OpenAsync(
        TurnAttempt attempt, HttpRequest from, string path, string? session, CancellationToken cancellationToken, params string[] except)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(TimeSpan.FromSeconds(options.Value.ConnectSeconds));
        try
        {
            var opened = await connector.ConnectAsync(attempt.Account, path, from, RequestSplices.DropsTurnState(attempt.Turn), bound.Token, except);
            if (opened.Socket is null)
            {
                return (null, opened.Headers, RefusedHandshake.Explain(opened, attempt.Turn.Request.StreamId));
            }
            relay.Events.GaveTurnState(attempt, opened.Headers[WireHeaders.TurnState], session);
            return (opened.Socket, opened.Headers, null);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, new HeaderDictionary(), new RecoverySignal(SignalKind.Unreachable));
        }
    }

    /// <summary>The link of a client's own socket; it is cut when that client leaves a turn.</summary>
    /// <param name="strays">Where events go that are of no turn, such as telemetry.</param>
    /// <param name="follow">Begins the turn of a response that upstream has begun by itself behind one that has ended, on the lane named; null if that may not be.</param>
    public UpstreamLink LinkForClient(MessageSocket socket, AdmittedAccount account, IEventSink strays, Func<UpstreamLink, Turn, string, SocketAttempt?> follow) =>
        new(socket, account, account.Lanes, strays, drainsAbandoned: false, follow, relay, memory.All, RetireAfter, time);

    /// <summary>The link of a session's socket: a turn whose client has left runs to its end upstream, heard by nobody, and the socket lives on.</summary>
    public UpstreamLink LinkForSession(MessageSocket socket, AdmittedAccount account) =>
        new(socket, account, hasLanes: false, strays: null, drainsAbandoned: true, static (_, _, _) => null, relay, memory.All, RetireAfter, time);

    private TimeSpan RetireAfter => TimeSpan.FromSeconds(options.Value.RetireSocketSeconds);
}

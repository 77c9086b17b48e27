using System.Net.WebSockets;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Clients;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Routing;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;
using ServiceDefaults.Http;

namespace Proxy.Edge.Endpoints;

/// <summary>
/// The upgrade of <c>/responses</c>. Upstream's socket is opened first, since its 101 carries headers that the client reads;
/// if that fails for now, the client is let in all the same, and its first frame tries again: a refused upgrade costs agents
/// many seconds of retries, and 426 their WebSocket for the whole session.
/// </summary>
internal sealed class ResponsesSocketEndpoint(
    CallerAuthentication callers, AccountsClient accounts, OwnerDirectory owners, UpstreamConnector connector, TurnEvents events, SocketServices services, AccountMarks marks, IOptions<EdgeOptions> options)
{
    private const int MostAccounts = 4;

    private static readonly TimeSpan EagerBound = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(30);

    public async Task HandleAsync(HttpContext context, string path)
    {
        if (CallerAuthentication.HasForeignOrigin(context.Request))
        {
            await Errors.ForeignOrigin.WriteAsync(context);
            return;
        }
        var (caller, error) = await callers.IdentifyAsync(context);
        if (caller is null)
        {
            await error!.WriteAsync(context);
            return;
        }
        var (account, upstream, refusal) = await ConnectEagerlyAsync(context, caller, path);
        if (refusal is not null)
        {
            await refusal.WriteAsync(context);
            return;
        }
        foreach (var (name, values) in upstream?.Headers ?? [])
        {
            context.Response.Headers[name] = values;
        }
        using var client = await AcceptAsync(context, upstream);
        using var router = new SocketRouter(services, context.Request, caller, path, client);
        await router.RunAsync(upstream?.Socket is { } socket ? (account!, socket) : null);
        await client.CloseAsync(WebSocketCloseStatus.NormalClosure, "");
    }

    private async Task<MessageSocket> AcceptAsync(HttpContext context, UpstreamHandshake? upstream)
    {
        try
        {
            var accept = new WebSocketAcceptContext { KeepAliveInterval = KeepAlive, KeepAliveTimeout = KeepAlive };
            return new MessageSocket(await context.WebSockets.AcceptWebSocketAsync(accept), options.Value.MaxDecompressedBytes);
        }
        catch
        {
            upstream?.Socket?.Dispose();
            throw;
        }
    }

    private async Task<(AdmittedAccount? Account, UpstreamHandshake? Upstream, ApiError? Refusal)> ConnectEagerlyAsync(HttpContext context, Caller caller, string path)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        bound.CancelAfter(EagerBound);
        try
        {
            var scope = TurnScope.Of(context.Request.Headers, new TurnRequest());
            OwnedId[] stateIds = scope.TurnState is { } turnState ? [new OwnedId(OwnedKinds.TurnState, turnState)] : [];
            var known = scope.Key is null ? null : await owners.ResolveAsync(caller.KeyId, scope, stateIds, bound.Token);
            string[] withoutWebSockets = [];
            while (true)
            {
                var admitted = await accounts.AdmitAsync(new AdmissionRequest(
                    Guid.CreateVersion7(), AdmissionPurpose.Request, caller.KeyId, null, null, known?.Owners.FirstOrDefault()?.Owner?.AccountId ?? known?.ScopeAccountId,
                    withoutWebSockets, NeedsWebSockets: true, WaitMs: 0), bound.Token);
                if (admitted?.Account is not { } account)
                {
                    return (null, null, admitted?.Refusal?.Reason switch
                    {
                        RefusalReason.NoWebSockets or RefusalReason.NoOther => Errors.UpgradeRequired,
                        // It was revoked, or has expired, since it was last looked up.
                        RefusalReason.UnknownKey => Errors.InvalidKey,
                        _ => null,
                    });
                }
                var upstream = await connector.ConnectAsync(
                    account, path, context.Request, known?.Owners is [{ Outcome: not OwnerOutcome.Unknown } given] && given.Owner?.Domain != account.Domain, bound.Token);
                if (upstream.Socket is null && RefusedHandshake.Explain(upstream, streamId: null).Kind == SignalKind.NoWebSocket)
                {
                    marks.NoteNoWebSockets(account.Id);
                    withoutWebSockets = [.. withoutWebSockets, account.Id];
                    if (withoutWebSockets.Length < MostAccounts)
                    {
                        continue;
                    }
                }
                events.GaveTurnState(caller, scope, account, upstream.Headers[WireHeaders.TurnState]);
                return (account, upstream, null);
            }
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            return (null, null, null);
        }
    }
}

using Microsoft.Extensions.Options;
using Proxy.Edge.Callers;
using Proxy.Edge.Downstream;
using Proxy.Edge.Http;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Sessions;
using Proxy.Edge.Turns;
using ServiceDefaults.Http;

namespace Proxy.Edge.Endpoints;

/// <summary>
/// Turns that another edge sends here since this one holds their session, and that edge's question whether it does. A turn comes under a signature instead of
/// the internal token: it says who asks, and must fit this one request only.
/// </summary>
internal sealed class ForwardedTurnEndpoint(
    RequestBodyReader bodies, TurnJournal journal, HttpTurns turns, SessionRegistry sessions, ForwardReplayGuard seen, IOptions<EdgeOptions> options,
    IOptions<InternalOptions> internals, TimeProvider time)
{
    private readonly ForwardToken _token = new(internals.Value.Token);

    public async Task HandleAsync(HttpContext context)
    {
        var forwarded = _token.Verify(
            context.Request.Headers[WireHeaders.Forwarded], options.Value.AdvertisedAddress, context.Request.Method, context.Request.Path + context.Request.QueryString.ToUriComponent(), time.GetUtcNow());
        if (forwarded is null)
        {
            // The edge that sent it need not tell its client: it has not begun here.
            context.Response.Headers[WireHeaders.Forwarded] = "refused";
            await Errors.InvalidForward.WriteAsync(context);
            return;
        }
        var (body, error) = await bodies.ReadAsync(context.Request, forwarded.KeyId);
        if (body is null)
        {
            await error!.WriteAsync(context);
            return;
        }
        using (body)
        {
            (var request, error) = TurnRequestScanner.Scan(body.Span);
            var check = ForwardToken.HashOf(body.Span) == forwarded.BodyHash ? seen.Take(forwarded.TurnId) : ReplayCheck.Repeated;
            if (check != ReplayCheck.First)
            {
                error = check == ReplayCheck.Repeated ? Errors.InvalidForward : Errors.SessionsBusy;
            }
            if (error is not null)
            {
                await error.WriteAsync(context);
                return;
            }
            var turn = journal.Accept(
                forwarded.TurnId, forwarded.AcceptedAt, request!, new Caller(forwarded.KeyId), TurnScope.Of(context.Request.Headers, request!),
                request!.Stream ? Surfaces.HttpStream : Surfaces.HttpJson, body.Length, ClientKinds.IsCodex(context.Request.Headers));
            await turns.RunAsync(context, turn, body, "/responses", forwarded.Session);
        }
    }

    public IResult Probe(ProbeRequest request)
    {
        using var session = sessions.TryUse(request.Session);
        return session is not null && (request.Anchor is null || session.Value.Holding(request.Anchor) is not null) ? TypedResults.NoContent() : TypedResults.NotFound();
    }
}

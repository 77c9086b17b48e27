using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using Proxy.Edge.Callers;
using Proxy.Edge.Downstream;
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
    RequestBodyReader bodies, TurnJournal journal, HttpTurnRunner runner, SessionRegistry sessions, IMemoryCache cache, IOptions<InternalOptions> internals, TimeProvider time)
{
    // Longer than a token lives.
    private static readonly MemoryCacheEntryOptions Seen = new() { Size = 1, AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(2) };

    private readonly ForwardToken _token = new(internals.Value.Token);

    public async Task HandleAsync(HttpContext context)
    {
        var forwarded = _token.Verify(
            context.Request.Headers[WireHeaders.Forwarded], context.Request.Method, context.Request.Path + context.Request.QueryString.ToUriComponent(), time.GetUtcNow());
        if (forwarded is null)
        {
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
            if (ForwardToken.HashOf(body.Span) != forwarded.BodyHash || !IsFirst(forwarded.TurnId))
            {
                error = Errors.InvalidForward;
            }
            if (error is not null)
            {
                await error.WriteAsync(context);
                return;
            }
            var turn = journal.Accept(
                forwarded.TurnId, forwarded.AcceptedAt, request!, new Caller(forwarded.KeyId), TurnScope.Of(context.Request.Headers, request!),
                request!.Stream ? Surfaces.HttpStream : Surfaces.HttpJson, body.Length, ClientKinds.IsCodex(context.Request.Headers));
            await runner.RunAsync(context, turn, body.Memory, "/responses", forwarded.Session);
        }
    }

    public IResult Probe(ProbeRequest request)
    {
        if (sessions.TryUse(request.Session) is not { } session)
        {
            return TypedResults.NotFound();
        }
        var holds = request.Anchor is null || session.Holding(request.Anchor) is not null;
        session.Leave();
        return holds ? TypedResults.NoContent() : TypedResults.NotFound();
    }

    private bool IsFirst(Guid turnId)
    {
        var key = ("forwarded", turnId);
        if (cache.TryGetValue(key, out _))
        {
            return false;
        }
        cache.Set(key, true, Seen);
        return true;
    }
}

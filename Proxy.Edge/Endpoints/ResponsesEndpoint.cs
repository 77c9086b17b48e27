using Proxy.Edge.Callers;
using Proxy.Edge.Downstream;
using Proxy.Edge.Http;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Endpoints;

/// <summary>POST <c>/responses</c>, and its kin that take the same body: compaction and token counting.</summary>
internal sealed class ResponsesEndpoint(CallerAuthentication callers, RequestBodyReader bodies, TurnJournal journal, HttpTurns turns)
{
    public async Task HandleAsync(HttpContext context, string path)
    {
        var (caller, error) = await callers.IdentifyAsync(context);
        if (caller is null)
        {
            await error!.WriteAsync(context);
            return;
        }
        (var body, error) = await bodies.ReadAsync(context.Request, caller.KeyId);
        if (body is null)
        {
            await error!.WriteAsync(context);
            return;
        }
        using (body)
        {
            (var request, error) = TurnRequestScanner.Scan(body.Span);
            if (request is null)
            {
                await error!.WriteAsync(context);
                return;
            }
            var turn = journal.Accept(
                request, caller, TurnScope.Of(context.Request.Headers, request), request.Stream ? Surfaces.HttpStream : Surfaces.HttpJson, body.Length,
                isCodex: ClientKinds.IsCodex(context.Request.Headers));
            await turns.RunAsync(context, turn, body, path);
        }
    }
}

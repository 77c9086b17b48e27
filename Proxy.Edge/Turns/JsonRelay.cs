using System.Net;
using Microsoft.Extensions.Options;
using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>Relays an answer that is one body: a JSON response, or an error. It is read whole, since the turn ends before the client has it.</summary>
internal sealed class JsonRelay(TurnEvents events, IOptions<EdgeOptions> options, TimeProvider time) : IAnswerRelay
{
    public async Task<ApiError?> RelayAsync(HttpContext context, Turn turn, HttpResponseMessage response, TurnDeadline deadline)
    {
        using var body = new PooledBody();
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(deadline.Token);
            int read;
            while ((read = await stream.ReadAsync(body.GetMemory(), deadline.Token)) > 0)
            {
                body.Advance(read);
                if (body.Length > options.Value.MaxEventBytes)
                {
                    return Errors.EventTooLarge;
                }
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return Errors.UpstreamFailedAfterSend;
        }
        catch (OperationCanceledException)
        {
            return deadline.Reason();
        }

        // Our credential was refused, not the client's: passed on, the client would throw its own key away.
        if (response.StatusCode == HttpStatusCode.Unauthorized)
        {
            return Errors.UpstreamRefusedCredential;
        }
        var facts = EventScanner.ReadFacts(body.Span);
        await events.EndJsonAsync(turn, (int)response.StatusCode, facts, RetryAfterOf(response));

        context.Response.StatusCode = (int)response.StatusCode;
        HeaderPolicy.CopyDownstream(response, context.Response.Headers);
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body.Memory, context.RequestAborted);
        return null;
    }

    // Seconds, or a date.
    private TimeSpan? RetryAfterOf(HttpResponseMessage response) =>
        response.Headers.RetryAfter is { } hint ? hint.Delta ?? (hint.Date - time.GetUtcNow()) : null;
}

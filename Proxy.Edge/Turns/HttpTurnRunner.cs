using Microsoft.Extensions.Options;
using Proxy.Edge.Protocol;
using Proxy.Edge.Upstream;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>
/// A turn over plain HTTP:
/// <code>
/// 1 accept -> 2 resolve -> 3 admit -> 4 send -> 5 answer: an error, one JSON object, or events -> 6 end
/// </code>
/// Whatever happens on the way, the turn ends once and its slot is freed.
/// </summary>
internal sealed class HttpTurnRunner(
    TurnAdmission admission, TurnEvents events, TurnJournal journal, UpstreamHandlers handlers, SseRelay sse, JsonRelay json, IOptions<EdgeOptions> options, TimeProvider time)
{
    /// <summary>Runs an accepted turn (step 1 is the caller's) to its end.</summary>
    /// <param name="path">Below the account's base URL.</param>
    public async Task RunAsync(HttpContext context, Turn turn, ReadOnlyMemory<byte> body, string path)
    {
        try
        {
            await RunToEndAsync(context, turn, body, path);
        }
        finally
        {
            journal.Release(turn);
        }
    }

    private async Task RunToEndAsync(HttpContext context, Turn turn, ReadOnlyMemory<byte> body, string path)
    {
        context.Response.Headers[WireHeaders.RequestId] = turn.Id.ToString("N");
        var wasSent = false;
        ApiError? error;
        try
        {
            // :: Steps 2 and 3
            error = journal.IsFull ? Errors.SpoolFull : await admission.AdmitAsync(turn, needsWebSockets: false, currentAccountId: null, context.RequestAborted);
            context.Response.Headers[WireHeaders.Continuity] = $"owner={turn.OwnerSource}; replays=0";
            if (error is null)
            {
                (error, wasSent) = await SendAsync(context, turn, body, path);
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            error = Errors.ClientLeft;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // A fault of ours. The turn must not stay open, and the exception must not be lost.
            await events.EndAsync(turn, Errors.UpstreamFailedAfterSend, wasSent: true);
            throw;
        }
        // :: Step 6
        if (error is null)
        {
            return;
        }
        await events.EndAsync(turn, error, wasSent);
        if (!context.RequestAborted.IsCancellationRequested)
        {
            await error.WriteAsync(context);
        }
    }

    private async Task<(ApiError? Error, bool WasSent)> SendAsync(HttpContext context, Turn turn, ReadOnlyMemory<byte> body, string path)
    {
        using var deadline = new TurnDeadline(turn, options.Value, time, context.RequestAborted);
        using var request = UpstreamRequests.Post(turn.Account!, path, context.Request, body);
        HttpResponseMessage response;
        try
        {
            // :: Step 4. A streamed answer begins at once; one that is not streamed takes as long as the whole turn may.
            if (turn.Request.Stream)
            {
                deadline.Progress();
            }
            response = await handlers.For(turn.Account!.Id).SendAsync(request, deadline.Token);
        }
        catch (HttpRequestException exception)
        {
            return UpstreamRequests.WasNotSent(exception) ? (Errors.UpstreamUnreachable, false) : (Errors.UpstreamFailedAfterSend, true);
        }
        catch (OperationCanceledException)
        {
            return (deadline.Reason(), true);
        }
        using (response)
        {
            // :: Step 5
            return (await (IsEventStream(response) ? sse : (IAnswerRelay)json).RelayAsync(context, turn, response, deadline), true);
        }
    }

    private static bool IsEventStream(HttpResponseMessage response) =>
        response.IsSuccessStatusCode && response.Content.Headers.ContentType?.MediaType?.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase) == true;
}

/// <summary>Relays upstream's answer to the client and ends the turn by what it says.</summary>
internal interface IAnswerRelay
{
    /// <summary>Null when the client has its answer; an error when it still has to be told.</summary>
    Task<ApiError?> RelayAsync(HttpContext context, Turn turn, HttpResponseMessage response, TurnDeadline deadline);
}

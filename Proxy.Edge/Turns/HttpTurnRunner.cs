using Microsoft.Extensions.Options;
using Proxy.Edge.Downstream;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns.Recovery;
using Proxy.Edge.Upstream;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>
/// A turn over plain HTTP:
/// <code>
/// 1 accept -> 2 resolve -> 3 admit -> 4 send -> 5 answer: an error, one JSON object, or events -> 6 end
///                             ^------- once more, where the recovery policy says so -------'
/// </code>
/// Whatever happens on the way, the turn ends once and its slot is freed.
/// </summary>
internal sealed partial class HttpTurnRunner(
    TurnAdmission admission, TurnRecovery recovery, TurnEvents events, TurnJournal journal, UpstreamHandlers handlers, SseRelay sse, JsonRelay json,
    Drain drain, IOptions<EdgeOptions> options, TimeProvider time, ILogger<HttpTurnRunner> logger)
{
    /// <summary>Runs an accepted turn (step 1 is the caller's) to its end.</summary>
    /// <param name="path">Below the account's base URL.</param>
    public async Task RunAsync(HttpContext context, Turn turn, ReadOnlyMemory<byte> body, string path)
    {
        var answer = new HttpAnswer(context, turn, TimeSpan.FromSeconds(options.Value.KeepAliveSeconds), time);
        using var deadline = new TurnDeadline(turn, options.Value, time, context.RequestAborted, drain.Over);
        try
        {
            await RunToEndAsync(context.Request, answer, turn, body, path, deadline);
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
            journal.Release(turn);
        }
    }

    private async Task RunToEndAsync(HttpRequest from, HttpAnswer answer, Turn turn, ReadOnlyMemory<byte> body, string path, TurnDeadline deadline)
    {
        // :: Steps 2 and 3
        // An anchor that lives on a socket is not here: this is none.
        var (error, signal) = await answer.KeepAliveAsync(admission.AdmitAsync(turn, currentAccountId: null, holdsAnchor: _ => false, deadline));
        if (error is not null)
        {
            await EndAsync(answer, turn, error);
            return;
        }
        do
        {
            // :: Steps 4 and 5
            signal ??= await AttemptAsync(from, answer, turn, body, path, deadline);
            // :: Step 6
            if (signal is null || !await RecoverAsync(answer, turn, signal, deadline))
            {
                return;
            }
            signal = null;
        }
        while (true);
    }

    // Null when the client has its answer.
    private async Task<RecoverySignal?> AttemptAsync(HttpRequest from, HttpAnswer answer, Turn turn, ReadOnlyMemory<byte> body, string path, TurnDeadline deadline)
    {
        using var limits = deadline.BeginAttempt();
        using var request = UpstreamRequests.Post(turn.Account!, path, from, RequestSplices.For(turn, body), RequestSplices.DropsTurnState(turn));
        HttpResponseMessage response;
        try
        {
            turn.Send();
            // A streamed response is created at once; one that is not streamed takes as long as the whole turn may.
            if (turn.Request.Stream)
            {
                limits.Sent();
            }
            response = await answer.KeepAliveAsync(handlers.For(turn.Account!.Id).SendAsync(request, limits.Token));
        }
        catch (HttpRequestException exception) when (UpstreamRequests.WasNotSent(exception))
        {
            turn.Unsend();
            return new RecoverySignal(SignalKind.Unreachable);
        }
        catch (HttpRequestException)
        {
            return new RecoverySignal(SignalKind.Broken);
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
            return await (IsEventStream(response) ? sse.RelayAsync(answer, turn, response, limits) : json.RelayAsync(answer, turn, response, limits));
        }
    }

    // True when the turn is to be sent once more; else the client has been told.
    private async Task<bool> RecoverAsync(HttpAnswer answer, Turn turn, RecoverySignal signal, TurnDeadline deadline)
    {
        var decision = await answer.KeepAliveAsync(recovery.HandleAsync(turn, signal, deadline));
        switch (decision)
        {
            case null:
                return true;
            case { Action: RecoveryAction.Surface }:
                await events.SurfaceAsync(turn, signal.Error, signal.Error!.Status ?? StatusCodes.Status200OK);
                await answer.SurfaceAsync(signal.Error);
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

    private static bool IsEventStream(HttpResponseMessage response) =>
        response.IsSuccessStatusCode && response.Content.Headers.ContentType?.MediaType?.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase) == true;
}

using Proxy.Edge.Answers;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;

namespace Proxy.Edge.Http;

/// <summary>Sends turns to upstream over plain HTTP.</summary>
internal sealed class PlainAttempts(UpstreamHandlers handlers, TurnEvents events, SseRelay sse, WholeAnswerRelay json)
{
    /// <summary>Sends the turn once; null when the client has its answer, else what happened instead.</summary>
    /// <param name="from">The client's request, whose headers go along.</param>
    /// <param name="path">Below the account's base URL.</param>
    public async Task<RecoverySignal?> AttemptAsync(HttpRequest from, HttpAnswer answer, TurnAttempt attempt, PooledBody body, string path, TurnDeadline deadline)
    {
        var turn = attempt.Turn;
        using var limits = deadline.BeginAttempt();
        var bytes = RequestSplices.For(turn, body.Memory);
        using var request = UpstreamRequests.Post(
            attempt.Account, path, from, bytes, RequestSplices.DropsTurnState(turn), turn.Request.Stream ? limits.Sent : limits.SentForWholeAnswer);
        HttpResponseMessage response;
        try
        {
            attempt.Response.NoteSent();
            limits.Sending(bytes.Length);
            response = await answer.KeepAliveAsync(handlers.For(attempt.Account.Id).SendAsync(request, limits.Token));
        }
        catch (HttpRequestException exception) when (UpstreamRequests.WasNotSent(exception))
        {
            attempt.Response.NoteNotSent();
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
            attempt.Response.NoteNotSent();
            return new RecoverySignal(SignalKind.Unreachable);
        }
        using (response)
        {
            events.GaveTurnState(attempt, HeaderPolicy.ValueOf(response, WireHeaders.TurnState));
            return await (HeaderPolicy.IsEventStream(response)
                ? sse.RelayAsync(answer, attempt, response, limits).GiveBackWhenBegunAsync(limits, turn, body)
                : json.RelayAsync(answer, attempt, response, limits));
        }
    }
}

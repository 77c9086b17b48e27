using Microsoft.Extensions.Options;
using Proxy.Edge.Answers;
using Proxy.Edge.Downstream;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;

namespace Proxy.Edge.Http;

/// <summary>Relays an answer that is one body. It is read whole, since the turn ends before the client has it; an error is only held.</summary>
internal sealed class WholeAnswerRelay(TurnEvents events, IOptions<EdgeOptions> options, MemoryBudget budget, TimeProvider time)
{
    /// <summary>Null when the client has its answer; else what happened instead.</summary>
    public async Task<RecoverySignal?> RelayAsync(HttpAnswer answer, TurnAttempt attempt, HttpResponseMessage response, AttemptDeadline limits)
    {
        using var body = new PooledBody(share: budget.All, isHere: true);
        try
        {
            await using var stream = await UpstreamAnswers.ReadAsync(response, limits.Token);
            int read;
            while ((read = await answer.KeepAliveAsync(stream.ReadAsync(body.GetMemory(), limits.Token).AsTask())) > 0)
            {
                body.Advance(read);
                if (body.Length > options.Value.MaxEventBytes)
                {
                    return new RecoverySignal(SignalKind.EventTooLarge);
                }
            }
        }
        catch (Exception exception) when (UpstreamAnswers.IsBroken(exception))
        {
            return new RecoverySignal(SignalKind.Broken);
        }
        catch (OperationCanceledException) when (limits.Token.IsCancellationRequested)
        {
            return new RecoverySignal(limits.Reason);
        }

        // Clients would follow a redirect past us, with the prompt.
        if ((int)response.StatusCode is >= 300 and < 400)
        {
            return new RecoverySignal(SignalKind.NoResponse);
        }
        var facts = ResponseFactsReader.Read(body.Span);
        if (!response.IsSuccessStatusCode)
        {
            answer.Hold(response, body.Span, isEvent: false);
            var error = facts.Error ?? UpstreamError.OfText(body.Span);
            return new RecoverySignal(SignalKind.Rejected, error.With((int)response.StatusCode, DurationText.WaitOf(response.Headers, time.GetUtcNow())));
        }
        // An error in place of a response is a refusal, whatever the status says.
        if (facts is { Error: { } refusal, Id: null })
        {
            answer.Hold(response, body.Span, isEvent: false, refusal.HttpStatus);
            return new RecoverySignal(SignalKind.Rejected, refusal.With(refusal.HttpStatus, DurationText.WaitOf(response.Headers, time.GetUtcNow())));
        }
        if (facts.Error is { Kind: UpstreamErrorKind.PreviousResponseNotFound } notFound)
        {
            answer.Hold(response, body.Span, isEvent: false);
            attempt.Response.ObserveRejection(facts);
            return new RecoverySignal(SignalKind.Rejected, notFound);
        }
        // A stream that was asked for and has begun with a keep-alive cannot become JSON; and what stops before it has begun is no answer.
        if (answer.HasStarted || body.Span.IndexOfAnyExcept(" \t\r\n"u8) < 0)
        {
            attempt.Response.Observe(facts);
            return new RecoverySignal(SignalKind.Broken);
        }
        if (!EventScanner.IsObject(body.Span))
        {
            return new RecoverySignal(SignalKind.NoResponse);
        }
        await events.EndJsonAsync(attempt, (int)response.StatusCode, facts);
        await answer.WriteAsync(response, body.Memory);
        return null;
    }
}

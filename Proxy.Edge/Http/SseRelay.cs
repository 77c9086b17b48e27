using System.Buffers;
using Microsoft.Extensions.Options;
using Proxy.Edge.Answers;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;

namespace Proxy.Edge.Http;

/// <summary>
/// Relays events as the bytes they came in. Each is scanned once; what has come in one read leaves in one flush. The terminal event
/// waits until the turn is published and journaled; a failure in its place is only held, and ends the stream. An error event within a response that has begun
/// passes, if it is the client's to read, and so does what follows.
/// </summary>
internal sealed class SseRelay(TurnEvents events, TurnRecovery recovery, IOptions<EdgeOptions> options)
{
    /// <summary>Null when the response's terminal event was relayed; else what happened instead.</summary>
    public async Task<RecoverySignal?> RelayAsync(HttpAnswer answer, TurnAttempt attempt, HttpResponseMessage response, AttemptDeadline limits)
    {
        var hasEnded = false;
        try
        {
            await using var upstream = new SseReader(await UpstreamAnswers.ReadAsync(response, limits.Token));
            while (true)
            {
                var reading = upstream.ReadAsync(limits.Token);
                upstream.Take(reading.IsCompleted || attempt.Response.HasBegun ? await reading : await answer.KeepAliveAsync(reading.AsTask()));
                if (!limits.AwaitsEnd)
                {
                    limits.Progress();
                }
                while (upstream.TryReadEvent(out var sseEvent))
                {
                    if (hasEnded || Passes(answer, attempt, sseEvent, limits))
                    {
                        SseEvents.Pass(answer.Body, sseEvent);
                        continue;
                    }
                    (hasEnded, var signal) = await RelayAsync(answer, attempt, response, sseEvent, hasEnded, limits);
                    if (signal is not null)
                    {
                        return signal;
                    }
                }
                if (upstream.IsCompleted)
                {
                    return await CompleteAsync(answer, attempt, response, upstream.Rest, hasEnded, limits);
                }
                if (upstream.Rest.Length > options.Value.MaxEventBytes)
                {
                    return hasEnded ? null : new RecoverySignal(SignalKind.EventTooLarge);
                }
                if (answer.HasStarted)
                {
                    await answer.Body.FlushAsync(limits.Token);
                }
            }
        }
        catch (Exception exception) when (UpstreamAnswers.IsBroken(exception))
        {
            return attempt.Turn.HasEnded ? null : new RecoverySignal(SignalKind.Broken);
        }
        catch (OperationCanceledException) when (limits.Token.IsCancellationRequested)
        {
            return attempt.Turn.HasEnded ? null : new RecoverySignal(limits.Reason);
        }
    }

    // Upstream's stream is at its end; an event that lacks its empty line still counts if it is the terminal one.
    private async Task<RecoverySignal?> CompleteAsync(HttpAnswer answer, TurnAttempt attempt, HttpResponseMessage response, ReadOnlySequence<byte> rest, bool hasEnded, AttemptDeadline limits)
    {
        if (!hasEnded && (rest.IsEmpty || !EventScanner.ReadHead(SseSplitter.DataOf(rest)).IsTerminal))
        {
            // Half an event would swallow the first line of the one that now has to follow.
            return new RecoverySignal(SignalKind.Broken);
        }
        if (!rest.IsEmpty)
        {
            (hasEnded, var signal) = await RelayAsync(answer, attempt, response, rest, hasEnded, limits);
            if (signal is not null)
            {
                return signal;
            }
        }
        await answer.Body.FlushAsync(limits.Token);
        return hasEnded ? null : new RecoverySignal(SignalKind.Broken);
    }

    // Nearly all events only pass: those cost no task and no memory.
    private bool Passes(HttpAnswer answer, TurnAttempt attempt, in ReadOnlySequence<byte> sseEvent, AttemptDeadline limits)
    {
        var head = EventScanner.ReadHead(SseSplitter.DataOf(sseEvent));
        if (!answer.HasStarted || head.Kind is not (EventKind.Other or EventKind.Delta))
        {
            return false;
        }
        events.Relay(attempt, head, default);
        if (head.Kind == EventKind.Delta)
        {
            limits.Created();
        }
        if (limits.AwaitsEnd && head != default)
        {
            limits.Progress();
        }
        return true;
    }

    private async ValueTask<(bool HasEnded, RecoverySignal? Signal)> RelayAsync(
        HttpAnswer answer, TurnAttempt attempt, HttpResponseMessage response, ReadOnlySequence<byte> sseEvent, bool hasEnded, AttemptDeadline limits)
    {
        var head = hasEnded ? default : EventScanner.ReadHead(SseSplitter.DataOf(sseEvent));
        if (head.Kind is EventKind.Failed or EventKind.Error)
        {
            var facts = ResponseFactsReader.Read(SseSplitter.DataOf(sseEvent));
            if (head.Kind == EventKind.Error && recovery.TryPass(attempt, facts, limits))
            {
                events.Relay(attempt, head, default);
                SseEvents.Pass(answer.Body, sseEvent);
                return (false, null);
            }
            answer.Hold(response, sseEvent.ToArray(), isEvent: true);
            attempt.Response.ObserveRejection(facts);
            return (false, new RecoverySignal(SignalKind.Rejected, facts.Error ?? UpstreamError.Unspecified));
        }
        if (head is { Kind: EventKind.Created } && attempt.Response.WasCreatedBefore)
        {
            // A prewarm that was sent once more.
            events.Recreated(attempt, ResponseFactsReader.Read(SseSplitter.DataOf(sseEvent)));
            limits.Created();
            return (hasEnded, null);
        }
        if (!answer.HasStarted)
        {
            await answer.StartStreamAsync(response);
        }
        if (head.IsTerminal)
        {
            // What came before it must not wait for it.
            await answer.Body.FlushAsync(limits.Token);
            await events.EndAsync(attempt, head, ResponseFactsReader.Read(SseSplitter.DataOf(sseEvent)));
            hasEnded = true;
        }
        else if (!hasEnded)
        {
            events.Relay(attempt, head, SseSplitter.DataOf(sseEvent));
            if (head.Kind is EventKind.Created or EventKind.Delta)
            {
                limits.Created();
            }
        }
        SseEvents.Pass(answer.Body, sseEvent);
        if (head.IsTerminal)
        {
            // A large one takes as long as the client does.
            limits.Progress();
            await answer.Body.FlushAsync(limits.Token);
            limits.Linger();
        }
        return (hasEnded, null);
    }
}

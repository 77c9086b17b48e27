using System.Buffers;
using Proxy.Edge.Answers;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Http;

/// <summary>
/// Relays one stream of events as the bytes they came in. Each is scanned once; what has come in one read leaves in one flush. The terminal event
/// waits until the turn is published and journaled; a failure in its place is only held, and ends the stream. An error event within a response that has begun
/// passes, if it is the client's to read, and so does what follows.
/// </summary>
internal sealed class RelayedStream(
    TurnEvents events, TurnRecovery recovery, int maxEventBytes, HttpAnswer answer, TurnAttempt attempt, HttpResponseMessage response, SseReader upstream, AttemptDeadline limits)
{
    private bool _hasEnded;

    /// <summary>Null when the response's terminal event was relayed; else what happened instead.</summary>
    /// <exception cref="OperationCanceledException">The attempt's deadline.</exception>
    public async Task<RecoverySignal?> RelayAsync()
    {
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
                if (_hasEnded || Passes(sseEvent))
                {
                    SseEvents.Pass(answer.Body, sseEvent);
                }
                else if (await RelayAsync(sseEvent) is { } signal)
                {
                    return signal;
                }
            }
            if (upstream.IsCompleted)
            {
                return await CompleteAsync(upstream.Rest);
            }
            if (upstream.Rest.Length > maxEventBytes)
            {
                return _hasEnded ? null : new RecoverySignal(SignalKind.EventTooLarge);
            }
            if (answer.HasStarted)
            {
                await answer.Body.FlushAsync(limits.Token);
            }
        }
    }

    // Upstream's stream is at its end; an event that lacks its empty line still counts if it is the terminal one.
    private async Task<RecoverySignal?> CompleteAsync(ReadOnlySequence<byte> rest)
    {
        if (!_hasEnded && (rest.IsEmpty || !HeadOf(rest).IsTerminal))
        {
            // Half an event would swallow the first line of the one that now has to follow.
            return new RecoverySignal(SignalKind.Broken);
        }
        if (!rest.IsEmpty && await RelayAsync(rest) is { } signal)
        {
            return signal;
        }
        await answer.Body.FlushAsync(limits.Token);
        return _hasEnded ? null : new RecoverySignal(SignalKind.Broken);
    }

    // Nearly all events only pass: those cost no task and no memory.
    private bool Passes(in ReadOnlySequence<byte> sseEvent)
    {
        var head = HeadOf(sseEvent);
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

    private async ValueTask<RecoverySignal?> RelayAsync(ReadOnlySequence<byte> sseEvent)
    {
        var head = _hasEnded ? default : HeadOf(sseEvent);
        if (head.Kind is EventKind.Failed or EventKind.Error)
        {
            var facts = FactsOf(sseEvent);
            if (head.Kind == EventKind.Error && recovery.TryPass(attempt, facts, limits))
            {
                events.Relay(attempt, head, default);
                SseEvents.Pass(answer.Body, sseEvent);
                return null;
            }
            answer.Hold(response, sseEvent.ToArray(), isEvent: true);
            attempt.Response.ObserveRejection(facts);
            return new RecoverySignal(SignalKind.Rejected, facts.Error ?? UpstreamError.Unspecified);
        }
        if (head is { Kind: EventKind.Created } && attempt.Response.WasCreatedBefore)
        {
            // A prewarm that was sent once more.
            events.Recreated(attempt, FactsOf(sseEvent));
            limits.Created();
            return null;
        }
        if (!answer.HasStarted)
        {
            await answer.StartStreamAsync(response);
        }
        if (head.IsTerminal)
        {
            await EndAsync(head, sseEvent);
            return null;
        }
        if (!_hasEnded)
        {
            events.Relay(attempt, head, upstream.DataOf(sseEvent));
            if (head.Kind is EventKind.Created or EventKind.Delta)
            {
                limits.Created();
            }
        }
        SseEvents.Pass(answer.Body, sseEvent);
        return null;
    }

    private async Task EndAsync(EventHead head, ReadOnlySequence<byte> sseEvent)
    {
        // What came before it must not wait for it.
        await answer.Body.FlushAsync(limits.Token);
        await events.EndAsync(attempt, head, FactsOf(sseEvent));
        _hasEnded = true;
        SseEvents.Pass(answer.Body, sseEvent);
        // A large one takes as long as the client does.
        limits.Progress();
        await answer.Body.FlushAsync(limits.Token);
        limits.Linger();
    }

    private EventHead HeadOf(in ReadOnlySequence<byte> sseEvent) => EventScanner.ReadHead(upstream.DataOf(sseEvent));

    private ResponseFacts FactsOf(in ReadOnlySequence<byte> sseEvent) => ResponseFactsReader.Read(upstream.DataOf(sseEvent));
}

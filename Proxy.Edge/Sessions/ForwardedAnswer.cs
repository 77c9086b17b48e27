using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Sessions;

/// <summary>
/// The stream of a turn that another edge runs, passed on event by event: where that edge dies, or this one stops waiting, the client is told in its stream how the
/// response has ended.
/// </summary>
internal sealed class ForwardedAnswer(HttpContext context, TurnDeadline deadline, TimeSpan silence, TimeProvider time)
{
    private readonly ResponseRecorder _response = new(isStored: false);
    private bool _hasEnded;

    /// <summary>Passes the stream on to its end, whoever ends it.</summary>
    public async Task RelayAsync(HttpResponseMessage response)
    {
        await context.Response.StartAsync(context.RequestAborted);
        using var silent = new CancellationTokenSource(silence, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, silent.Token);
        try
        {
            await using var holder = new SseReader(await response.Content.ReadAsStreamAsync(limit.Token));
            do
            {
                holder.Take(await holder.ReadAsync(limit.Token));
                silent.CancelAfter(silence);
                while (holder.TryReadEvent(out var sseEvent))
                {
                    Observe(holder.DataOf(sseEvent));
                    SseEvents.Pass(context.Response.BodyWriter, sseEvent);
                }
                await context.Response.BodyWriter.FlushAsync(limit.Token);
            }
            while (!holder.IsCompleted);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or HttpRequestException)
        {
            // Told below.
        }
        if (!_hasEnded && !context.RequestAborted.IsCancellationRequested)
        {
            var error = !deadline.Token.IsCancellationRequested ? Errors.StreamCut : deadline.Reason switch
            {
                SignalKind.Draining => Errors.ShuttingDown,
                SignalKind.KeyEnded => Errors.KeyEnded,
                _ => Errors.StreamCut,
            };
            await context.Response.BodyWriter.WriteAsync(ErrorEvents.SseFailed(error, _response.Id, _response.LastSequence + 1), context.RequestAborted);
        }
    }

    private void Observe(ReadOnlySpan<byte> json)
    {
        var head = EventScanner.ReadHead(json);
        _response.Observe(head, time.GetTimestamp());
        _hasEnded |= head.IsTerminal;
        if (head.Kind == EventKind.Created)
        {
            _response.Observe(ResponseFactsReader.Read(json));
        }
    }
}

using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>
/// Relays events as the bytes they came in. Each is scanned once; what has come in one read leaves in one flush. The terminal event
/// waits until the turn is published and journaled. A stream that breaks ends with <c>response.failed</c>, which all clients understand.
/// </summary>
internal sealed class SseRelay(TurnEvents events, IOptions<EdgeOptions> options) : IAnswerRelay
{
    public async Task<ApiError?> RelayAsync(HttpContext context, Turn turn, HttpResponseMessage response, TurnDeadline deadline)
    {
        context.Response.StatusCode = (int)response.StatusCode;
        HeaderPolicy.CopyDownstream(response, context.Response.Headers);
        context.Response.ContentLength = null;
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        // Clients judge upstream by how soon it answers: the headers leave now and not with the first event.
        await context.Response.StartAsync(context.RequestAborted);

        var (hasEnded, error) = await PumpAsync(context.Response.BodyWriter, turn, response, deadline);
        if (hasEnded || context.RequestAborted.IsCancellationRequested)
        {
            return hasEnded ? null : Errors.ClientLeft;
        }
        await events.EndAsync(turn, error!, wasSent: true);
        await context.Response.BodyWriter.WriteAsync(ErrorEvents.SseFailed(error!, turn.ResponseId, turn.LastSequence + 1), context.RequestAborted);
        return null;
    }

    // Never throws: it says whether the response's terminal event was relayed, and if not, why.
    private async Task<(bool HasEnded, ApiError? Error)> PumpAsync(PipeWriter client, Turn turn, HttpResponseMessage response, TurnDeadline deadline)
    {
        var splitter = new SseSplitter();
        var hasEnded = false;
        PipeReader? upstream = null;
        try
        {
            upstream = PipeReader.Create(await response.Content.ReadAsStreamAsync(deadline.Token));
            while (true)
            {
                if (hasEnded)
                {
                    deadline.Linger();
                }
                else
                {
                    deadline.Progress();
                }
                var read = await upstream.ReadAsync(deadline.Token);
                var buffer = read.Buffer;
                while (splitter.TryReadEvent(ref buffer, out var sseEvent))
                {
                    hasEnded = hasEnded || await TryEndAsync(client, turn, sseEvent, deadline);
                    Write(client, sseEvent);
                }
                if (read.IsCompleted)
                {
                    hasEnded = hasEnded || (!buffer.IsEmpty && await TryEndAsync(client, turn, buffer, deadline));
                    if (!hasEnded)
                    {
                        // Half an event would swallow the first line of the one that now has to follow.
                        return (false, Errors.StreamCut);
                    }
                    Write(client, buffer);
                    await client.FlushAsync(deadline.Token);
                    return (true, null);
                }
                if (buffer.Length > options.Value.MaxEventBytes)
                {
                    return (hasEnded, Errors.EventTooLarge);
                }
                await client.FlushAsync(deadline.Token);
                upstream.AdvanceTo(buffer.Start, buffer.End);
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return (hasEnded, Errors.StreamCut);
        }
        catch (OperationCanceledException)
        {
            return (hasEnded, deadline.Reason());
        }
        finally
        {
            if (upstream is not null)
            {
                await upstream.CompleteAsync();
            }
        }
    }

    // True for the terminal event: what came before it has left, and the turn has ended.
    private async Task<bool> TryEndAsync(PipeWriter client, Turn turn, ReadOnlySequence<byte> sseEvent, TurnDeadline deadline)
    {
        var head = Observe(turn, sseEvent);
        if (!head.IsTerminal)
        {
            return false;
        }
        await client.FlushAsync(deadline.Token);
        await events.EndAsync(turn, head.Kind, EventScanner.ReadFacts(SseSplitter.DataOf(sseEvent)));
        return true;
    }

    private EventHead Observe(Turn turn, in ReadOnlySequence<byte> sseEvent)
    {
        var data = SseSplitter.DataOf(sseEvent);
        return data.IsEmpty ? default : events.Observe(turn, data);
    }

    private static void Write(PipeWriter client, in ReadOnlySequence<byte> bytes)
    {
        foreach (var segment in bytes)
        {
            client.Write(segment.Span);
        }
    }
}

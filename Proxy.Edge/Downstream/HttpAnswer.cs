using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;
using ServiceDefaults.Http;

namespace Proxy.Edge.Downstream;

/// <summary>
/// The answer to a turn over HTTP. Its status is held back until upstream shows something, so that a turn that fails before can be sent once
/// more, or be answered with the right status. A client that waits for a stream is given signs of life meanwhile; the first one decides the status.
/// </summary>
internal sealed class HttpAnswer(HttpContext context, Turn turn, TimeSpan keepAlive, TimeProvider time)
{
    private Held? _held;

    /// <summary>True when status and headers have left.</summary>
    public bool HasStarted => context.Response.HasStarted;

    public PipeWriter Body => context.Response.BodyWriter;

    /// <summary>Canceled when the client leaves.</summary>
    public CancellationToken ClientLeft => context.RequestAborted;

    /// <summary>Begins to relay a stream, unless it has begun.</summary>
    public async Task StartStreamAsync(HttpResponseMessage upstream)
    {
        if (!HasStarted)
        {
            Describe((int)upstream.StatusCode);
            HeaderPolicy.CopyDownstream(upstream, context.Response.Headers);
            context.Response.ContentLength = null;
            await StartAsync();
        }
    }

    /// <summary>Keeps what upstream answered in case nothing better is to be had: an error as one body, or the last event of a stream.</summary>
    public void Hold(HttpResponseMessage upstream, ReadOnlySpan<byte> bytes, bool isEvent)
    {
        var headers = new HeaderDictionary();
        HeaderPolicy.CopyDownstream(upstream, headers);
        _held = new Held((int)upstream.StatusCode, headers, bytes.ToArray(), isEvent);
    }

    /// <summary>Gives the client what was held; where that no longer fits into the answer, its meaning.</summary>
    public async Task SurfaceAsync(UpstreamError error)
    {
        if (_held is not { } held || (HasStarted && !held.IsEvent))
        {
            await TellAsync(Errors.OfUpstream(error));
            return;
        }
        if (!HasStarted)
        {
            Describe(held.Status);
            foreach (var (name, values) in held.Headers)
            {
                context.Response.Headers[name] = values;
            }
            context.Response.ContentLength = held.IsEvent ? null : held.Bytes.Length;
        }
        await Body.WriteAsync(held.Bytes, ClientLeft);
    }

    /// <summary>Gives the client a whole body.</summary>
    public async Task WriteAsync(HttpResponseMessage upstream, ReadOnlyMemory<byte> body)
    {
        Describe((int)upstream.StatusCode);
        HeaderPolicy.CopyDownstream(upstream, context.Response.Headers);
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, ClientLeft);
    }

    /// <summary>Tells the client an error of ours: as a status, or, in a stream that has begun, as the response's end.</summary>
    public async Task TellAsync(ApiError error)
    {
        if (ClientLeft.IsCancellationRequested)
        {
            return;
        }
        if (HasStarted)
        {
            await Body.WriteAsync(ErrorEvents.SseFailed(error, turn.ResponseId, turn.LastSequence + 1), ClientLeft);
            return;
        }
        Describe(error.Status);
        await error.WriteAsync(context);
    }

    /// <summary>Awaits something that may take long, with signs of life to the client of a stream in which nothing has shown yet.</summary>
    public Task<T> KeepAliveAsync<T>(Task<T> work) =>
        KeepAlive.AwaitAsync(work, keepAlive, time, () => turn.Request.Stream && !turn.HasBegun, ShowLifeAsync);

    private async Task ShowLifeAsync()
    {
        try
        {
            if (!HasStarted)
            {
                Describe(StatusCodes.Status200OK);
                context.Response.ContentType = "text/event-stream";
                context.Response.Headers.CacheControl = "no-cache";
                await StartAsync();
            }
            await Body.WriteAsync(turn.IsCodex ? ErrorEvents.SseKeepAlive : ErrorEvents.SseComment, ClientLeft);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // The client has left; whatever is awaited ends for that, too.
        }
    }

    private void Describe(int status)
    {
        context.Response.StatusCode = status;
        context.Response.Headers[WireHeaders.RequestId] = turn.Id.ToString("N");
        context.Response.Headers[WireHeaders.Continuity] = turn.Continuity;
    }

    private Task StartAsync()
    {
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        return context.Response.StartAsync(ClientLeft);
    }

    private sealed record Held(int Status, HeaderDictionary Headers, byte[] Bytes, bool IsEvent);
}

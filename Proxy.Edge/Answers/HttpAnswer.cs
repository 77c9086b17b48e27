using System.Globalization;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;
using ServiceDefaults.Http;

namespace Proxy.Edge.Answers;

/// <summary>
/// The answer to a turn over HTTP. Its status is held back until upstream shows something, so that a turn that fails before can be sent once
/// more, or be answered with the right status. A client that waits for a stream is given keep-alives meanwhile; the first one decides the status.
/// </summary>
internal sealed class HttpAnswer(HttpContext context, Turn turn, TimeSpan keepAlive, TimeProvider time)
{
    private const string EventStream = "text/event-stream";
    private const string Json = "application/json";

    private static readonly HeaderDictionary NoHeaders = [];

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
            HeaderPolicy.CopyTurnHeaders(upstream, context.Response.Headers);
            context.Response.ContentLength = null;
            await StartAsync();
        }
    }

    /// <summary>Begins a stream of ours, unless it has begun.</summary>
    public async Task StartStreamAsync(IHeaderDictionary headers)
    {
        if (!HasStarted)
        {
            Describe(StatusCodes.Status200OK);
            Set(headers);
            context.Response.ContentType = EventStream;
            context.Response.Headers.CacheControl = "no-cache";
            await StartAsync();
        }
    }

    /// <summary>Keeps what upstream answered in case nothing better is to be had: an error as one body, or the last event of a stream.</summary>
    /// <param name="status">What the client is told; null for what upstream's answer said.</param>
    public void Hold(HttpResponseMessage upstream, ReadOnlySpan<byte> bytes, bool isEvent, int? status = null)
    {
        var headers = new HeaderDictionary();
        HeaderPolicy.CopyTurnHeaders(upstream, headers);
        _held = new Held(status ?? (int)upstream.StatusCode, headers, bytes.ToArray(), isEvent);
    }

    /// <summary>Keeps what a socket answered, in the form that HTTP has for it.</summary>
    /// <param name="retryAfter">Frames carry it in their <c>headers</c>.</param>
    public void Hold(int status, byte[] bytes, bool isEvent, TimeSpan? retryAfter = null)
    {
        var headers = new HeaderDictionary { [HeaderNames.ContentType] = isEvent ? EventStream : Json };
        if (retryAfter is { } wait)
        {
            headers[HeaderNames.RetryAfter] = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        }
        _held = new Held(status, headers, bytes, isEvent);
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
            Set(held.Headers);
            context.Response.ContentLength = held.IsEvent ? null : held.Bytes.Length;
        }
        await Body.WriteAsync(held.Bytes, ClientLeft);
    }

    /// <summary>Gives the client a whole body.</summary>
    public async Task WriteAsync(HttpResponseMessage upstream, ReadOnlyMemory<byte> body)
    {
        Describe((int)upstream.StatusCode);
        HeaderPolicy.CopyTurnHeaders(upstream, context.Response.Headers);
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, ClientLeft);
    }

    /// <summary>Gives the client a whole body that came over a socket.</summary>
    public async Task WriteAsync(IHeaderDictionary headers, ReadOnlyMemory<byte> json)
    {
        Describe(StatusCodes.Status200OK);
        Set(headers);
        context.Response.ContentType = Json;
        context.Response.ContentLength = json.Length;
        await context.Response.Body.WriteAsync(json, ClientLeft);
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
            await Body.WriteAsync(ErrorEvents.SseFailed(error, turn.Response.Id, turn.Response.LastSequence + 1), ClientLeft);
            return;
        }
        Describe(error.Status);
        await error.WriteAsync(context);
    }

    /// <summary>Awaits something that may take long, with keep-alives to the client of a stream in which nothing has shown yet.</summary>
    public Task<T> KeepAliveAsync<T>(Task<T> work) => KeepAliveAsync(work, SendKeepAliveAsync);

    /// <summary>The same, where keep-alives must not get between what others write.</summary>
    public Task<T> KeepAliveAsync<T>(Task<T> work, Func<Task> showLife) =>
        KeepAlive.AwaitAsync(work, keepAlive, time, () => turn.Request.Stream && !turn.Response.HasBegun, showLife);

    /// <summary>Shows the client that its stream is alive.</summary>
    public async Task SendKeepAliveAsync()
    {
        try
        {
            await StartStreamAsync(NoHeaders);
            await Body.WriteAsync(turn.Accepted.IsCodex ? ErrorEvents.SseKeepAlive : ErrorEvents.SseComment, ClientLeft);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // The client has left; whatever is awaited ends for that, too.
        }
    }

    private void Set(IHeaderDictionary headers)
    {
        foreach (var (name, values) in headers)
        {
            context.Response.Headers[name] = values;
        }
    }

    private void Describe(int status)
    {
        context.Response.StatusCode = status;
        context.Response.Headers[WireHeaders.RequestId] = turn.PinId().ToString("N");
        context.Response.Headers[WireHeaders.Continuity] = turn.Continuity;
    }

    private Task StartAsync()
    {
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        return context.Response.StartAsync(ClientLeft);
    }

    private sealed record Held(int Status, HeaderDictionary Headers, byte[] Bytes, bool IsEvent);
}

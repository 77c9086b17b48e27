using System.Net;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;
using ServiceDefaults.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Proxy.Edge.Sessions;

/// <summary>What became of a turn that was sent to another edge.</summary>
internal enum ForwardOutcome
{
    /// <summary>The client has its answer; the other edge logs the turn.</summary>
    Served,

    /// <summary>The other edge has not begun it.</summary>
    NotThere,

    /// <summary>The connection broke: nobody knows how far it came.</summary>
    Cut,
}

/// <summary>Sends a turn on to the edge that holds its session, once, and its answer back as the bytes it is.</summary>
internal sealed class SessionForwarding(
    IHttpForwarder forwarder, SessionMetrics metrics, IOptions<EdgeOptions> options, IOptions<InternalOptions> internals, TimeProvider time) : IDisposable
{
    // From the longest silence that the other edge bears to its having said so.
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);

    private readonly ForwardToken _token = new(internals.Value.Token);
    private readonly HttpMessageInvoker _edges = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(1),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        ActivityHeadersPropagator = null,
    });

    /// <summary>Sends the turn to the holder.</summary>
    public async Task<ForwardOutcome> SendAsync(HttpContext context, Turn turn, ReadOnlyMemory<byte> body, SessionHolder holder, TurnDeadline deadline)
    {
        if (context.Response.HasStarted)
        {
            return ForwardOutcome.NotThere;
        }
        MemoryMarshal.TryGetArray(body, out var bytes);
        // Plain by now.
        context.Request.Body = new MemoryStream(bytes.Array!, bytes.Offset, bytes.Count, writable: false);
        context.Request.ContentLength = bytes.Count;
        context.Request.Headers.ContentEncoding = default;

        var path = SessionRoutes.Turns + context.Request.QueryString.ToUriComponent();
        var forwarded = new ForwardedTurn(turn.PinId(), turn.Accepted.At, turn.Caller.KeyId, holder.Session, ForwardToken.HashOf(body.Span));
        var silence = TimeSpan.FromSeconds(turn.Request.Stream ? Math.Max(options.Value.IdleSeconds, options.Value.CreatedSeconds) : options.Value.TurnSeconds) + Margin;
        var transformer = new ToHolder(
            new Uri(holder.Address.TrimEnd('/') + path), _token.Sign(forwarded, holder.Address, HttpMethods.Post, path, time.GetUtcNow()), new ForwardedAnswer(context, deadline, silence, time));
        var failure = await forwarder.SendAsync(context, holder.Address, _edges, new ForwarderRequestConfig { ActivityTimeout = silence }, transformer, deadline.Token);
        var outcome = transformer.IsMisdirected || (failure == ForwarderError.Request && WasNotSent(context)) ? ForwardOutcome.NotThere
            : failure == ForwarderError.None || context.Response.HasStarted || context.RequestAborted.IsCancellationRequested ? ForwardOutcome.Served
            : ForwardOutcome.Cut;
        metrics.CountForward(outcome switch { ForwardOutcome.Served => "served", ForwardOutcome.NotThere => "not_there", _ => "cut" });
        return outcome;
    }

    public void Dispose() => _edges.Dispose();

    private static bool WasNotSent(HttpContext context) =>
        context.GetForwarderErrorFeature()?.Exception is HttpRequestException exception && UpstreamRequests.WasNotSent(exception);

    // What a client may send goes on, but for what it shows us alone: the other edge takes our word for who it is.
    private sealed class ToHolder(Uri address, string token, ForwardedAnswer answer) : HttpTransformer
    {
        public bool IsMisdirected { get; private set; }

        public override ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            proxyRequest.RequestUri = address;
            HeaderPolicy.CopyUpstream(httpContext.Request.Headers, proxyRequest);
            proxyRequest.Headers.TryAddWithoutValidation(WireHeaders.Forwarded, token);
            if (proxyRequest.Content is { } content)
            {
                content.Headers.ContentLength = httpContext.Request.ContentLength;
            }
            return ValueTask.CompletedTask;
        }

        public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
        {
            IsMisdirected = proxyResponse is { StatusCode: HttpStatusCode.MisdirectedRequest or HttpStatusCode.Unauthorized } && HeaderPolicy.ValueOf(proxyResponse, WireHeaders.Forwarded) is not null;
            if (proxyResponse is null || IsMisdirected)
            {
                return false;
            }
            httpContext.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            HeaderPolicy.CopyDownstream(proxyResponse, httpContext.Response.Headers);
            // Upstream may not say it; the other edge does.
            httpContext.Response.Headers[WireHeaders.Continuity] = HeaderPolicy.ValueOf(proxyResponse, WireHeaders.Continuity);
            if (!HeaderPolicy.IsEventStream(proxyResponse))
            {
                return true;
            }
            await answer.RelayAsync(proxyResponse);
            return false;
        }
    }
}

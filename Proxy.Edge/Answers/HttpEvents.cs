using Proxy.Edge.Downstream;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Answers;

/// <summary>
/// The events of a session's socket as the answer to a request: a stream of events, or the response they end in. The socket's pump and the turn's own task
/// both write, one after the other; once the turn's task has closed this, the pump finds nobody to write to.
/// </summary>
/// <param name="headers">Go with the answer.</param>
internal sealed class HttpEvents(HttpAnswer answer, Turn turn, IHeaderDictionary headers) : IEventSink
{
    private readonly SemaphoreSlim _writing = new(1);
    private bool _isClosed;

    /// <summary>Always true: that one client has left is no reason to end a socket that others use.</summary>
    public async Task<bool> SendAsync(EventHead head, ReadOnlyMemory<byte> json, CancellationToken cancellationToken)
    {
        if (turn.Request.Stream ? head.Kind == EventKind.Other && !WireTypes.IsOfResponse(EventScanner.ReadType(json.Span)) : !head.IsTerminal)
        {
            return true;
        }
        await _writing.WaitAsync(CancellationToken.None);
        try
        {
            if (!_isClosed)
            {
                await WriteAsync(json);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // The client has left; the turn's task sees it, too.
        }
        finally
        {
            _writing.Release();
        }
        return true;
    }

    /// <summary>Shows the client that its stream is alive, unless an event has.</summary>
    public async Task SendKeepAliveAsync()
    {
        await _writing.WaitAsync(CancellationToken.None);
        try
        {
            if (!turn.Response.HasBegun)
            {
                await answer.SendKeepAliveAsync();
            }
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Nothing more is written once this has ended.</summary>
    public async Task CloseAsync()
    {
        await _writing.WaitAsync(CancellationToken.None);
        _isClosed = true;
        _writing.Release();
    }

    /// <summary>
    /// Keeps an error as plain HTTP would have brought it. An error frame is a status and a body, a response that failed is a response:
    /// <code>
    /// {"type":"error","status":400,"error":{"code":"context_length_exceeded",...}}  ->  400 {"error":{"code":"context_length_exceeded",...}}
    /// {"type":"response.failed","response":{...}}                                   ->  200, the event; or, where no stream was asked for, {...}
    /// </code>
    /// </summary>
    public static void Hold(HttpAnswer answer, Turn turn, ReadOnlyMemory<byte> frame, UpstreamError? error)
    {
        if (JsonSplices.Find(frame, "response") is { } response)
        {
            answer.Hold(StatusCodes.Status200OK, turn.Request.Stream ? SseEvents.Format(frame.Span) : response.ToArray(), isEvent: turn.Request.Stream);
            return;
        }
        answer.Hold((error ?? UpstreamError.Unspecified).HttpStatus, JsonSplices.Find(frame, "error") is { } inner ? [.. "{\"error\":"u8, .. inner.Span, (byte)'}'] : frame.ToArray(), isEvent: false, error?.RetryAfter);
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> json)
    {
        if (!turn.Request.Stream)
        {
            await answer.WriteAsync(headers, JsonSplices.Find(json, "response") ?? json);
            return;
        }
        await answer.StartStreamAsync(headers);
        SseEvents.Write(answer.Body, json.Span);
        await answer.Body.FlushAsync(answer.ClientLeft);
    }
}

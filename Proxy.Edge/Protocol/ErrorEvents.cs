using System.Buffers;
using System.Text.Json;
using ServiceDefaults.Http;

namespace Proxy.Edge.Protocol;

/// <summary>An <see cref="ApiError"/> as an event of a stream that has begun, or as a frame.</summary>
internal static class ErrorEvents
{
    /// <summary>
    /// The end of a response on HTTP. Codex ignores an SSE <c>error</c>, so a turn always ends with <c>response.failed</c>:
    /// <code>
    /// event: response.failed
    /// data: {"type":"response.failed","sequence_number":7,"response":{"id":"resp_1","object":"response","status":"failed","error":{"code":"...","message":"..."},...}}
    /// </code>
    /// </summary>
    public static byte[] SseFailed(ApiError error, string? responseId, long nextSequence)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        buffer.Write("event: response.failed\ndata: "u8);
        WriteFailed(buffer, error, responseId, nextSequence, streamId: null);
        buffer.Write("\n\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The same end of a turn whose response has begun, as a frame.</summary>
    public static byte[] FailedFrame(ApiError error, string? responseId, long nextSequence, string? streamId)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        WriteFailed(buffer, error, responseId, nextSequence, streamId);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>
    /// An error frame. Codex ignores one without a numeric <c>status</c>, and honours <c>retry-after</c> from <c>headers</c>:
    /// <code>{"type":"error","status":429,"error":{"message":"...","type":"...","code":"...","param":null},"headers":{"retry-after":"1"}}</code>
    /// </summary>
    public static byte[] ErrorFrame(ApiError error, string? streamId)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(buffer);
        writer.WriteStartObject();
        writer.WriteString("type"u8, WireTypes.Error);
        writer.WriteNumber("status"u8, error.Status);
        WriteStreamId(writer, streamId);
        writer.WritePropertyName("error"u8);
        error.WriteObject(writer);
        if (error.RetryAfter is { } wait)
        {
            writer.WriteStartObject("headers"u8);
            writer.WriteString("retry-after"u8, Math.Ceiling(wait.TotalSeconds).ToString(System.Globalization.CultureInfo.InvariantCulture));
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Upstream's words for a steer whose response it does not know:
    /// <code>{"type":"response.steer.failed","steer":{"id":"steer_1","previous_response_id":"resp_1"},"error":{"code":"response_not_found","message":"..."}}</code>
    /// </summary>
    public static byte[] SteerFailedFrame(string steerId, string responseId)
    {
        var error = Errors.ResponseNotRunning(responseId);
        var buffer = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(buffer);
        writer.WriteStartObject();
        writer.WriteString("type"u8, "response.steer.failed"u8);
        writer.WriteStartObject("steer"u8);
        writer.WriteString("id"u8, steerId);
        writer.WriteString("previous_response_id"u8, responseId);
        writer.WriteEndObject();
        writer.WriteStartObject("error"u8);
        writer.WriteString("code"u8, error.Code);
        writer.WriteString("message"u8, error.Message);
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>
    /// An error frame of upstream as clients can read it: one without a numeric <c>status</c> they ignore and wait for minutes. All else passes as it came.
    /// <code>{"type":"error","error":{"code":"server_error"}}  ->  {"status":500,"type":"error","error":{"code":"server_error"}}</code>
    /// </summary>
    public static ReadOnlyMemory<byte> WithStatus(ReadOnlyMemory<byte> frame) => EventScanner.ReadHead(frame.Span).Kind == EventKind.Error
        ? JsonSplices.WithNumber(frame, "status", (ResponseFactsReader.Read(frame.Span).Error ?? UpstreamError.Unspecified).HttpStatus)
        : frame;

    /// <summary>A keep-alive for clients that watch the connection.</summary>
    public static ReadOnlyMemory<byte> SseComment { get; } = ": keep-alive\n\n"u8.ToArray();

    /// <summary>A keep-alive for Codex, which takes only JSON events for one.</summary>
    public static ReadOnlyMemory<byte> SseKeepAlive { get; } = "data: {\"type\":\"keepalive\"}\n\n"u8.ToArray();

    /// <summary>A keep-alive for clients that take nothing else for one: <code>{"type":"keepalive"}</code></summary>
    public static byte[] KeepAliveFrame(string? streamId)
    {
        var buffer = new ArrayBufferWriter<byte>(64);
        using var writer = new Utf8JsonWriter(buffer);
        writer.WriteStartObject();
        writer.WriteString("type"u8, "keepalive"u8);
        WriteStreamId(writer, streamId);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteFailed(ArrayBufferWriter<byte> buffer, ApiError error, string? responseId, long sequence, string? streamId)
    {
        using var writer = new Utf8JsonWriter(buffer);
        writer.WriteStartObject();
        writer.WriteString("type"u8, WireTypes.Failed);
        writer.WriteNumber("sequence_number"u8, sequence);
        WriteStreamId(writer, streamId);
        writer.WriteStartObject("response"u8);
        if (responseId is not null)
        {
            writer.WriteString("id"u8, responseId);
        }
        writer.WriteString("object"u8, "response"u8);
        writer.WriteString("status"u8, "failed"u8);
        writer.WriteStartObject("error"u8);
        writer.WriteString("code"u8, error.Code);
        writer.WriteString("message"u8, error.Message);
        writer.WriteEndObject();
        writer.WriteNull("incomplete_details"u8);
        writer.WriteStartArray("output"u8);
        writer.WriteEndArray();
        writer.WriteNull("usage"u8);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteStreamId(Utf8JsonWriter writer, string? streamId)
    {
        if (streamId is not null)
        {
            writer.WriteString("stream_id"u8, streamId);
        }
    }
}

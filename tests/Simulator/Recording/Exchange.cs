using System.Text;
using System.Text.Json;

namespace Simulator.Recording;

/// <summary>A WebSocket message, or an SSE-less note of one: who sent it, when, and its bytes.</summary>
public sealed record Frame(bool FromClient, DateTimeOffset At, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>The n-th turn of the account, for a <c>response.create</c>.</summary>
    public int? Turn { get; init; }

    /// <summary>The text.</summary>
    public string Text => Encoding.UTF8.GetString(Bytes.Span);

    /// <summary>The JSON.</summary>
    public JsonElement Json => JsonDocument.Parse(Bytes).RootElement;

    /// <summary>The event type.</summary>
    public string? Type => Json.TryGetProperty("type", out var type) ? type.GetString() : null;
}

/// <summary>An HTTP request and what became of it; for a WebSocket, everything on it.</summary>
public sealed class Exchange
{
    private readonly Lock _lock = new();
    private readonly Queue<Frame> _frames = new();
    private readonly Queue<string> _responseIds = new();

    /// <summary>Most frames that are kept of one WebSocket.</summary>
    public const int FrameCapacity = 10_000;

    /// <summary>When the request line and headers were there.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>HTTP method.</summary>
    public required string Method { get; init; }

    /// <summary>Path without query.</summary>
    public required string Path { get; init; }

    /// <summary>Query with its question mark.</summary>
    public required string Query { get; init; }

    /// <summary>Header names and values as the server hands them out: well-known names first and in canonical case.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; }

    /// <summary>The bearer token; null if there was none.</summary>
    public string? Account { get; internal set; }

    /// <summary>The n-th turn of the account, for a turn over HTTP.</summary>
    public int? Turn { get; internal set; }

    /// <summary>Body as received.</summary>
    public ReadOnlyMemory<byte> RawBody { get; internal set; }

    /// <summary>Body with its content codings undone.</summary>
    public ReadOnlyMemory<byte> Body { get; internal set; }

    /// <summary>Whether it is a WebSocket handshake.</summary>
    public bool IsWebSocket { get; internal set; }

    /// <summary>Status that was answered; null while there is none.</summary>
    public int? Status { get; internal set; }

    /// <summary>When it was over; null while it is not.</summary>
    public DateTimeOffset? EndedAt { get; internal set; }

    /// <summary>Whether the client went away before the end, without a Close frame on a WebSocket.</summary>
    public bool ClientAborted { get; internal set; }

    /// <summary>Close code that the client sent.</summary>
    public int? ClientCloseCode { get; internal set; }

    /// <summary>Close code that the simulator sent.</summary>
    public int? ServerCloseCode { get; internal set; }

    /// <summary>Response ids that were made.</summary>
    public IReadOnlyList<string> ResponseIds
    {
        get
        {
            lock (_lock)
            {
                return [.. _responseIds];
            }
        }
    }

    /// <summary>The body as JSON.</summary>
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>Frames both ways.</summary>
    public IReadOnlyList<Frame> Frames
    {
        get
        {
            lock (_lock)
            {
                return [.. _frames];
            }
        }
    }

    /// <summary>Frames of the client.</summary>
    public IEnumerable<Frame> Received => Frames.Where(frame => frame.FromClient);

    /// <summary>Frames of the simulator.</summary>
    public IEnumerable<Frame> Sent => Frames.Where(frame => !frame.FromClient);

    /// <summary>The value of a header; null without one.</summary>
    public string? Header(string name) =>
        Headers.Where(header => header.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(header => header.Value).FirstOrDefault();

    internal void Made(string responseId)
    {
        lock (_lock)
        {
            _responseIds.Enqueue(responseId);
            if (_responseIds.Count > FrameCapacity)
            {
                _responseIds.Dequeue();
            }
        }
    }

    internal void Add(Frame frame)
    {
        lock (_lock)
        {
            _frames.Enqueue(frame);
            if (_frames.Count > FrameCapacity)
            {
                _frames.Dequeue();
            }
        }
    }
}

using System.Buffers;

namespace Proxy.Edge.Protocol;

/// <summary>
/// A frame as a server-sent event; the frame's bytes are the event's data:
/// <code>
/// {"type":"response.created","response":{...}}
///
/// event: response.created\n
/// data: {"type":"response.created","response":{...}}\n
/// \n
/// </code>
/// </summary>
internal static class SseEvents
{
    /// <summary>Writes the event.</summary>
    public static void Write(IBufferWriter<byte> to, ReadOnlySpan<byte> json)
    {
        var type = EventScanner.ReadType(json);
        // A line end in it would be one of the event's.
        if (!type.IsEmpty && type.IndexOfAnyInRange((byte)0, (byte)'\x1f') < 0)
        {
            to.Write("event: "u8);
            to.Write(type);
            to.Write("\n"u8);
        }
        // JSON may hold line ends between its tokens; an event's data then has as many lines.
        do
        {
            var end = json.IndexOfAny((byte)'\n', (byte)'\r');
            to.Write("data: "u8);
            to.Write(end < 0 ? json : json[..end]);
            to.Write("\n"u8);
            json = end < 0 ? default : json[(end + 1)..];
        }
        while (!json.IsEmpty);
        to.Write("\n"u8);
    }

    /// <summary>Passes an event on as the bytes it came in.</summary>
    public static void Pass(IBufferWriter<byte> to, in ReadOnlySequence<byte> sseEvent)
    {
        foreach (var segment in sseEvent)
        {
            to.Write(segment.Span);
        }
    }

    /// <summary>The event as bytes of its own.</summary>
    public static byte[] Format(ReadOnlySpan<byte> json)
    {
        var buffer = new ArrayBufferWriter<byte>(json.Length + 64);
        Write(buffer, json);
        return buffer.WrittenSpan.ToArray();
    }
}

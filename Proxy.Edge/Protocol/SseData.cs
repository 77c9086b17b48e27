using System.Buffers;

namespace Proxy.Edge.Protocol;

/// <summary>The data of a server-sent event.</summary>
internal static class SseData
{
    /// <summary>
    /// The value of its <c>data</c> field, without a copy where that is one line:
    /// <code>
    /// event: response.output_text.delta\n
    /// data: {"type":"response.output_text.delta",...}\n
    /// \n
    /// </code>
    /// Several lines are joined with LF. Empty for comments.
    /// </summary>
    public static ReadOnlySpan<byte> In(ReadOnlySpan<byte> sseEvent)
    {
        ReadOnlySpan<byte> first = default;
        ArrayBufferWriter<byte>? joined = null;
        while (!sseEvent.IsEmpty)
        {
            var end = sseEvent.IndexOf((byte)'\n');
            var line = end < 0 ? sseEvent : sseEvent[..end];
            sseEvent = end < 0 ? default : sseEvent[(end + 1)..];
            if (!line.StartsWith("data:"u8))
            {
                continue;
            }
            line = line["data:"u8.Length..];
            line = line.StartsWith(" "u8) ? line[1..] : line;
            line = line.EndsWith("\r"u8) ? line[..^1] : line;
            if (first.IsEmpty)
            {
                first = line;
                continue;
            }
            if (joined is null)
            {
                joined = new ArrayBufferWriter<byte>(first.Length + line.Length + 1);
                joined.Write(first);
            }
            joined.Write("\n"u8);
            joined.Write(line);
        }
        return joined is null ? first : joined.WrittenSpan;
    }
}

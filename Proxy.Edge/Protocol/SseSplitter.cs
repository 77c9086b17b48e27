using System.Buffers;

namespace Proxy.Edge.Protocol;

/// <summary>
/// Splits a byte stream at the ends of its server-sent events, so that each can pass as the bytes it came in:
/// <code>
/// event: response.output_text.delta\n
/// data: {"type":"response.output_text.delta",...}\n
/// \n
/// </code>
/// Lines may end in LF or CRLF; an event ends with an empty line.
/// </summary>
internal sealed class SseSplitter
{
    // Both count from the start of the buffer: a large event comes in many reads, and none is to search again what others have searched.
    private long _lineStart;
    private long _searched;

    /// <summary>
    /// Cuts the next whole event, its empty line included, off the buffer; false when there is none yet.
    /// To be called again with the same bytes and those that came after.
    /// </summary>
    public bool TryReadEvent(ref ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> sseEvent)
    {
        var reader = new SequenceReader<byte>(buffer);
        reader.Advance(_searched);
        while (reader.TryAdvanceTo((byte)'\n'))
        {
            var length = reader.Consumed - 1 - _lineStart;
            if (length == 0 || (length == 1 && buffer.Slice(_lineStart, 1).FirstSpan[0] == '\r'))
            {
                sseEvent = buffer.Slice(0, reader.Position);
                buffer = buffer.Slice(reader.Position);
                _lineStart = _searched = 0;
                return true;
            }
            _lineStart = reader.Consumed;
        }
        _searched = buffer.Length;
        sseEvent = default;
        return false;
    }

    /// <summary>
    /// The event's data without a copy where it is one line in one segment; several lines are joined as the standard says.
    /// Empty for comments.
    /// </summary>
    public static ReadOnlySpan<byte> DataOf(in ReadOnlySequence<byte> sseEvent)
    {
        var bytes = sseEvent.IsSingleSegment ? sseEvent.FirstSpan : sseEvent.ToArray();
        ReadOnlySpan<byte> first = default;
        ArrayBufferWriter<byte>? joined = null;
        while (!bytes.IsEmpty)
        {
            var end = bytes.IndexOf((byte)'\n');
            var line = end < 0 ? bytes : bytes[..end];
            bytes = end < 0 ? default : bytes[(end + 1)..];
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

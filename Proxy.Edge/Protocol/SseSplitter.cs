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
}

using System.Buffers;
using System.IO.Pipelines;

namespace Proxy.Edge.Protocol;

/// <summary>
/// Reads the server-sent events of a stream as the bytes they came in: one <see cref="ReadAsync"/>, and then events as long as there are whole ones.
/// What it has given out is valid until the next call. Nothing is allocated for an event.
/// </summary>
internal sealed class SseReader(Stream stream) : IAsyncDisposable
{
    // Most events come whole in a read of this size; each that does not is copied once. A stream that is silent has no buffer at all.
    private static readonly StreamPipeReaderOptions Reads = new(bufferSize: 16 << 10, useZeroByteReads: true);

    private readonly PipeReader _pipe = PipeReader.Create(stream, Reads);
    private readonly SseSplitter _splitter = new();
    private ReadOnlySequence<byte> _buffer;
    private byte[]? _joined;
    private bool _holds;

    /// <summary>True when the stream is at its end.</summary>
    public bool IsCompleted { get; private set; }

    /// <summary>What has come of the next event: at the stream's end, one that lacks its empty line.</summary>
    public ReadOnlySequence<byte> Rest => _buffer;

    /// <summary>Waits for more bytes; to be given to <see cref="Take"/>. Split in two, so that a read that waits for nothing costs nothing.</summary>
    public ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken)
    {
        if (_holds)
        {
            _holds = false;
            _pipe.AdvanceTo(_buffer.Start, _buffer.End);
        }
        return _pipe.ReadAsync(cancellationToken);
    }

    /// <summary>The bytes that were waited for.</summary>
    public void Take(in ReadResult read) => (_buffer, IsCompleted, _holds) = (read.Buffer, read.IsCompleted, true);

    /// <summary>The next whole event, its empty line included; false when there is none yet.</summary>
    public bool TryReadEvent(out ReadOnlySequence<byte> sseEvent) => _splitter.TryReadEvent(ref _buffer, out sseEvent);

    /// <summary>The event's data; several lines are joined as the standard says. Empty for comments.</summary>
    public ReadOnlySpan<byte> DataOf(in ReadOnlySequence<byte> sseEvent)
    {
        if (sseEvent.IsSingleSegment)
        {
            return SseData.In(sseEvent.FirstSpan);
        }
        var length = checked((int)sseEvent.Length);
        if (_joined is null || _joined.Length < length)
        {
            ReturnJoined();
            _joined = ArrayPool<byte>.Shared.Rent(length);
        }
        sseEvent.CopyTo(_joined);
        return SseData.In(_joined.AsSpan(0, length));
    }

    public ValueTask DisposeAsync()
    {
        ReturnJoined();
        return _pipe.CompleteAsync();
    }

    private void ReturnJoined()
    {
        if (_joined is not null)
        {
            ArrayPool<byte>.Shared.Return(_joined);
            _joined = null;
        }
    }
}

using System.Buffers;
using System.IO.Pipelines;

namespace Proxy.Edge.Protocol;

/// <summary>
/// Reads the server-sent events of a stream as the bytes they came in: one <see cref="ReadAsync"/>, and then events as long as there are whole ones.
/// What it has given out is valid until the next read.
/// </summary>
internal sealed class SseReader(Stream stream) : IAsyncDisposable
{
    private readonly PipeReader _pipe = PipeReader.Create(stream);
    private readonly SseSplitter _splitter = new();
    private ReadOnlySequence<byte> _buffer;
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

    public ValueTask DisposeAsync() => _pipe.CompleteAsync();
}

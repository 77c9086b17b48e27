using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Spool;

/// <summary>
/// Keeps every accepted turn in files until its row is acknowledged, so that a killed edge loses none: what it was doing is found
/// at its next start. Appending costs one write into the page cache, on the caller's thread and before the client sees the end of the turn.
/// </summary>
internal sealed partial class TurnSpool : IDisposable
{
    private const long SegmentBytes = 4L << 20;
    private const string Pattern = "*.spool";

    private readonly string _directory;
    private readonly long _maxBytes;
    private readonly FileStream _lock;
    private readonly Channel<bool> _written = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private long _pendingBytes;
    private int _nextNumber;
    private int _rotating;
    private volatile SpoolSegment _current;

    private readonly ILogger<TurnSpool> _logger;

    public TurnSpool(IOptions<EdgeOptions> options, ILogger<TurnSpool> logger)
    {
        _logger = logger;
        _directory = options.Value.SpoolDirectory;
        _maxBytes = options.Value.SpoolMaxBytes;
        Directory.CreateDirectory(_directory);
        try
        {
            _lock = new FileStream(Path.Combine(_directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception)
        {
            throw new InvalidOperationException($"Edge:SpoolDirectory '{_directory}' is in use by another edge, or cannot be written.", exception);
        }
        foreach (var path in Directory.EnumerateFiles(_directory, Pattern).Order(StringComparer.Ordinal))
        {
            var left = SpoolSegment.OpenSealed(path);
            _pendingBytes += left.Length;
            Sealed.Enqueue(left);
            _nextNumber = Math.Max(_nextNumber, int.TryParse(Path.GetFileNameWithoutExtension(path), out var number) ? number + 1 : 0);
        }
        LeftBehind = Sealed.Count;
        _current = NewSegment();
    }

    /// <summary>How many segments an earlier process has left.</summary>
    public int LeftBehind { get; }

    /// <summary>True when no more turns may begin.</summary>
    public bool IsFull => Interlocked.Read(ref _pendingBytes) > _maxBytes;

    /// <summary>Segments that get no more lines, oldest first. Only the shipper takes from it.</summary>
    public ConcurrentQueue<SpoolSegment> Sealed { get; } = new();

    /// <summary>The segment being written; only the shipper reads from it.</summary>
    public SpoolSegment Current => _current;

    /// <summary>Keeps what a turn's row is if the edge dies before its end.</summary>
    /// <exception cref="IOException">The disk fails: the turn must not begin.</exception>
    public void Begin(RequestLogRow row) => Append(new SpoolRecord(row with { Status = TurnStatus.Cut }, null));

    /// <summary>Keeps a turn's end. A disk that fails now must not cost the client its answer.</summary>
    public void End(RequestLogRow row)
    {
        try
        {
            Append(new SpoolRecord(null, row));
            Wake();
        }
        catch (IOException exception)
        {
            LogNotKept(row.Id, exception.HResult);
        }
    }

    /// <summary>There is something to ship.</summary>
    public void Wake() => _written.Writer.TryWrite(true);

    /// <summary>Waits until there was something to ship since the last call.</summary>
    public async ValueTask WaitAsync(CancellationToken cancellationToken) => await _written.Reader.ReadAsync(cancellationToken);

    /// <summary>Removes a segment whose turns are all acknowledged.</summary>
    public void Remove(SpoolSegment segment)
    {
        Interlocked.Add(ref _pendingBytes, -segment.Length);
        segment.Delete();
    }

    public void Dispose()
    {
        _current.Dispose();
        foreach (var segment in Sealed)
        {
            segment.Dispose();
        }
        _lock.Dispose();
    }

    private void Append(SpoolRecord record)
    {
        var line = record.ToLine();
        Interlocked.Add(ref _pendingBytes, line.Length);
        SpoolSegment segment;
        do
        {
            segment = _current;
        }
        while (!segment.TryAppend(line));
        if (segment.Length > SegmentBytes)
        {
            Rotate(segment);
        }
    }

    // One writer rotates; the others go on writing to the full segment until the new one is there.
    private void Rotate(SpoolSegment full)
    {
        if (Interlocked.CompareExchange(ref _rotating, 1, 0) != 0)
        {
            return;
        }
        if (ReferenceEquals(full, _current))
        {
            _current = NewSegment();
            full.Seal();
            Sealed.Enqueue(full);
        }
        Volatile.Write(ref _rotating, 0);
    }

    private SpoolSegment NewSegment() => SpoolSegment.Create(Path.Combine(_directory, $"{_nextNumber++:D9}.spool"));

    [LoggerMessage(400, LogLevel.Error, "The end of turn {TurnId} could not be kept on disk (0x{HResult:x8}); its row will say cut")]
    private partial void LogNotKept(Guid turnId, int hResult);
}

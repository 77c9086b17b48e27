using System.Collections.Immutable;
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
    private readonly ILogger<TurnSpool> _logger;
    private readonly IReadOnlyList<SpoolSegment> _leftBehind;
    private ImmutableArray<SpoolSegment> _segments = [];
    private ImmutableArray<Channel<bool>> _watchers = [];
    private long _pendingBytes;
    private int _nextNumber;
    private int _rotating;
    private volatile SpoolSegment _current;

    public TurnSpool(IOptions<EdgeOptions> options, ILogger<TurnSpool> logger)
    {
        _logger = logger;
        _directory = options.Value.SpoolDirectory;
        _maxBytes = options.Value.SpoolMaxBytes;
        try
        {
            SpoolFiles.CreateFolder(_directory);
            _lock = SpoolFiles.Open(Path.Combine(_directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"Edge:SpoolDirectory '{_directory}' is in use by another edge, or cannot be written.", exception);
        }
        foreach (var path in Directory.EnumerateFiles(_directory, Pattern).Order(StringComparer.Ordinal))
        {
            var left = SpoolSegment.OpenSealed(path, order: _segments.Length);
            _pendingBytes += left.Length;
            _segments = _segments.Add(left);
            _nextNumber = Math.Max(_nextNumber, int.TryParse(Path.GetFileNameWithoutExtension(path), out var number) ? number + 1 : 0);
        }
        _leftBehind = _segments;
        _current = AddSegment();
    }

    /// <summary>True when no more turns may begin.</summary>
    public bool IsFull => PendingBytes > _maxBytes;

    /// <summary>Bytes of turns that not every service has acknowledged.</summary>
    public long PendingBytes => Interlocked.Read(ref _pendingBytes);

    /// <summary>What was written lately.</summary>
    public RecentRecords Recent { get; } = new();

    /// <summary>Segments with turns that are not acknowledged, oldest first; the last one is being written.</summary>
    public ImmutableArray<SpoolSegment> Segments => _segments;

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
    public void Wake()
    {
        foreach (var watcher in _watchers)
        {
            watcher.Writer.TryWrite(true);
        }
    }

    /// <summary>A channel that says when there is something to ship. All who watch must release a segment before it is removed.</summary>
    public Channel<bool> Watch()
    {
        var watcher = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        ImmutableInterlocked.Update(ref _watchers, watchers => watchers.Add(watcher));
        return watcher;
    }

    /// <summary>Turns that an earlier process has begun and not ended, with the account they were on: they were cut by its death.</summary>
    public IReadOnlyDictionary<Guid, string?> FindCut()
    {
        var cut = new Dictionary<Guid, string?>();
        foreach (var record in _leftBehind.Select(segment => new SegmentReader(segment, Recent)).SelectMany(ReadAll))
        {
            if (record.Began is { } began)
            {
                cut[began.Id] = began.AccountId;
            }
        }
        foreach (var record in _leftBehind.Select(segment => new SegmentReader(segment, Recent)).SelectMany(ReadAll))
        {
            if (record.Ended is { } ended)
            {
                cut.Remove(ended.Id);
            }
        }
        return cut;

        static IEnumerable<SpoolRecord> ReadAll(SegmentReader reader)
        {
            while (reader.Read() is { Count: > 0 } records)
            {
                foreach (var record in records)
                {
                    yield return record;
                }
            }
        }
    }

    /// <summary>A watcher is done with a segment; the last one removes it.</summary>
    public void Release(SpoolSegment segment)
    {
        if (segment.Release() < _watchers.Length)
        {
            return;
        }
        ImmutableInterlocked.Update(ref _segments, segments => segments.Remove(segment));
        Interlocked.Add(ref _pendingBytes, -segment.Length);
        segment.Delete();
    }

    public void Dispose()
    {
        foreach (var segment in Segments)
        {
            segment.Dispose();
        }
        _lock.Dispose();
    }

    private void Append(SpoolRecord record)
    {
        var line = record.ToLine();
        Recent.Keep(record, line.Length);
        Interlocked.Add(ref _pendingBytes, line.Length);
        var segment = _current;
        try
        {
            while (!segment.TryAppend(line))
            {
                segment = _current;
            }
        }
        catch (IOException)
        {
            // It has left a hole, behind which nothing is read while the segment is being written.
            Rotate(segment);
            throw;
        }
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
        try
        {
            if (ReferenceEquals(full, _current))
            {
                _current = AddSegment();
                full.Seal();
            }
        }
        catch (IOException)
        {
            // The full one takes more; the next writer tries again.
        }
        finally
        {
            Volatile.Write(ref _rotating, 0);
        }
    }

    private SpoolSegment AddSegment()
    {
        var segment = SpoolSegment.Create(Path.Combine(_directory, $"{_nextNumber++:D9}.spool"), Segments.IsEmpty ? 0 : Segments[^1].Order + 1);
        ImmutableInterlocked.Update(ref _segments, segments => segments.Add(segment));
        return segment;
    }

    [LoggerMessage(400, LogLevel.Error, "The end of turn {TurnId} could not be kept on disk (0x{HResult:x8}); its row will say cut")]
    private partial void LogNotKept(Guid turnId, int hResult);
}

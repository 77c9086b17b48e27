namespace Proxy.Edge.Spool;

/// <summary>Reads a segment's records in order, a batch at a time.</summary>
/// <param name="recent">Records that need not be parsed.</param>
internal sealed class SegmentReader(SpoolSegment segment, RecentRecords recent)
{
    private const int MaxRecords = 500;

    private byte[] _buffer = new byte[64 << 10];
    private long _position;

    public SpoolSegment Segment => segment;

    /// <summary>Beginnings and ends of turns in this segment that are not acknowledged.</summary>
    public int PendingTurns { get; set; }

    /// <summary>True when nothing is left to read, now or later.</summary>
    public bool IsDone => segment.IsQuiet && _position >= segment.Length;

    /// <summary>The next whole records; none when there are none yet.</summary>
    public IReadOnlyList<SpoolRecord> Read()
    {
        // Asked before reading: what is quiet now has no hole that will still be filled.
        var isQuiet = segment.IsQuiet;
        var records = new List<SpoolRecord>();
        while (records.Count < MaxRecords)
        {
            var length = segment.Read(_buffer, _position);
            var whole = WholeLines(_buffer.AsSpan(0, length), isQuiet);
            if (whole == 0)
            {
                if (length == _buffer.Length)
                {
                    Array.Resize(ref _buffer, _buffer.Length * 2);
                    continue;
                }
                // The last line of a killed process, not written to its end: nothing can complete it.
                _position = isQuiet ? Math.Max(_position, segment.Length) : _position;
                break;
            }
            Parse(_buffer.AsSpan(0, whole), records);
            _position += whole;
        }
        return records;
    }

    // In a segment that is still written, bytes behind a hole are not read before the hole is filled.
    private static int WholeLines(ReadOnlySpan<byte> bytes, bool isQuiet)
    {
        var hole = isQuiet ? -1 : bytes.IndexOf((byte)0);
        return (hole < 0 ? bytes : bytes[..hole]).LastIndexOf((byte)'\n') + 1;
    }

    private void Parse(ReadOnlySpan<byte> lines, List<SpoolRecord> records)
    {
        foreach (var range in lines.Split((byte)'\n'))
        {
            // A killed process may have left a claimed range unwritten, in front of the next line.
            var line = lines[range].TrimStart((byte)0);
            if (!line.IsEmpty && (recent.Find(line) ?? SpoolRecord.Parse(line)) is { } record)
            {
                records.Add(record);
            }
        }
    }
}

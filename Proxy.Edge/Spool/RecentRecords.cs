using System.Buffers.Text;
using System.Collections.Concurrent;

namespace Proxy.Edge.Spool;

/// <summary>Records that this process has written lately: whoever reads their lines need not parse them. Bounded in bytes; what is not here any more is parsed.</summary>
internal sealed class RecentRecords
{
    // Bytes of lines, about half of what the records take. Of two generations the older goes when the younger is full.
    private const long GenerationBytes = 4 << 20;

    private readonly Lock _lock = new();
    private volatile Generation _young = new();
    private volatile Generation _old = new();

    /// <summary>Keeps a record whose line has this many bytes.</summary>
    public void Keep(SpoolRecord record, int bytes)
    {
        var young = _young;
        young.Records[record.Key] = record;
        if (Interlocked.Add(ref young.Bytes, bytes) <= GenerationBytes)
        {
            return;
        }
        lock (_lock)
        {
            if (_young == young)
            {
                (_old, _young) = (young, new Generation());
            }
        }
    }

    /// <summary>The record of a line, if it is known.</summary>
    public SpoolRecord? Find(ReadOnlySpan<byte> line)
    {
        if (KeyOf(line) is not { } key)
        {
            return null;
        }
        return _young.Records.TryGetValue(key, out var record) || _old.Records.TryGetValue(key, out record) ? record : null;
    }

    // {"began":{"id":"0199aabb-ccdd-7eee-8fff-001122334455",...
    private static SpoolRecordKey? KeyOf(ReadOnlySpan<byte> line)
    {
        var hasEnded = line.StartsWith("{\"ended\":{\"id\":\""u8);
        return (hasEnded || line.StartsWith("{\"began\":{\"id\":\""u8)) && Utf8Parser.TryParse(line["{\"ended\":{\"id\":\"".Length..], out Guid id, out _)
            ? new SpoolRecordKey(id, hasEnded)
            : null;
    }

    private sealed class Generation
    {
        public long Bytes;

        public ConcurrentDictionary<SpoolRecordKey, SpoolRecord> Records { get; } = new();
    }
}

using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using Proxy.Edge.Protocol;
using ServiceDefaults.Telemetry;

namespace Proxy.Edge.Downstream;

/// <summary>
/// The bytes that requests, frames, decompressed bodies and upstream's large events may take in this process, and of them those of one key and of one socket: a caller that
/// sends much is told to wait, before it costs another anything.
/// </summary>
internal sealed class MemoryBudget
{
    // One key may have half of all, and a socket a quarter of that.
    private const int KeyPart = 2;
    private const int SocketPart = 4;

    // By default so much of what the machine or container has.
    private const int DefaultPart = 4;

    private readonly ConcurrentDictionary<string, MemoryShare> _keys = new(StringComparer.Ordinal);
    private readonly long _keyBytes;
    private readonly long _socketBytes;

    public MemoryBudget(IOptions<EdgeOptions> options, IMeterFactory meters)
    {
        var most = options.Value.MemoryBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / DefaultPart;
        All = new MemoryShare(null, most);
        // The largest request that is allowed at all must be possible.
        _keyBytes = Math.Max(most / KeyPart, Math.Min(most, LargestBuffer(options.Value)));
        _socketBytes = Math.Max(_keyBytes / SocketPart, Math.Min(_keyBytes, LargestBuffer(options.Value)));
        var meter = meters.Create(TelemetryExtensions.OwnPrefix + "Memory");
        _ = meter.CreateObservableGauge("continuity.memory.taken", () => All.Taken, "By", "What requests, frames and large events take now.");
        _ = meter.CreateObservableGauge("continuity.memory.most", () => All.Most, "By", "What they may take.");
    }

    /// <summary>All there is; upstream's events are taken from here.</summary>
    public MemoryShare All { get; }

    /// <summary>A key's share. There are as many as there are keys that have called.</summary>
    public MemoryShare Of(string keyId) => _keys.GetOrAdd(keyId, _ => new MemoryShare(All, _keyBytes));

    /// <summary>A socket's share of its key's.</summary>
    public MemoryShare ForSocket(string keyId) => new(Of(keyId), _socketBytes);

    // A buffer doubles as it grows.
    private static long LargestBuffer(EdgeOptions options) => options.MaxDecompressedBytes * 2L;
}

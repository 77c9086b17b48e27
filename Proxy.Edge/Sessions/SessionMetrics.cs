using System.Diagnostics.Metrics;
using ServiceDefaults.Telemetry;

namespace Proxy.Edge.Sessions;

/// <summary>Gauges and counters of sessions.</summary>
internal sealed class SessionMetrics
{
    private readonly UpDownCounter<long> _sessions;
    private readonly UpDownCounter<long> _sockets;
    private readonly Counter<long> _ends;
    private readonly Counter<long> _forwards;

    public SessionMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(TelemetryExtensions.OwnPrefix + "Sessions");
        _sessions = meter.CreateUpDownCounter<long>("continuity.sessions", "{session}", "Sessions this edge holds.");
        _sockets = meter.CreateUpDownCounter<long>("continuity.session_sockets", "{socket}", "Upstream sockets of sessions.");
        _ends = meter.CreateCounter<long>("continuity.session_socket_end", "{socket}", "Upstream sockets of sessions that have ended, by why.");
        _forwards = meter.CreateCounter<long>("continuity.session_forward", "{turn}", "Turns of sessions that another edge holds, by what became of them.");
    }

    public void CountSession(int change) => _sessions.Add(change);

    public void CountSocket(int change) => _sockets.Add(change);

    /// <param name="reason"><c>idle</c>, <c>old</c>, <c>evicted</c>, <c>drained</c> or <c>upstream</c>.</param>
    public void CountSocketEnd(string reason) => _ends.Add(1, new KeyValuePair<string, object?>("reason", reason));

    /// <param name="outcome"><c>served</c>, <c>not_there</c> or <c>cut</c>.</param>
    public void CountForward(string outcome) => _forwards.Add(1, new KeyValuePair<string, object?>("outcome", outcome));
}

using System.Diagnostics.Metrics;
using ServiceDefaults.Telemetry;

namespace Proxy.Edge.Spool;

/// <summary>Instruments of the spool.</summary>
internal sealed class SpoolMetrics
{
    private readonly Counter<long> _setAside;

    public SpoolMetrics(IMeterFactory meters, TurnSpool spool)
    {
        var meter = meters.Create(TelemetryExtensions.OwnPrefix + "Spool");
        _setAside = meter.CreateCounter<long>("continuity.spool.set_aside", "{row}", "Rows that a service refuses for what they hold.");
        _ = meter.CreateObservableGauge("continuity.spool.size", () => spool.PendingBytes, "By", "What waits in the spool to be taken by the services.");
    }

    public void CountSetAside(string service) => _setAside.Add(1, new KeyValuePair<string, object?>("service", service));
}

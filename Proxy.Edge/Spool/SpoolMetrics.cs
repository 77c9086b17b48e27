using System.Diagnostics.Metrics;
using ServiceDefaults.Telemetry;

namespace Proxy.Edge.Spool;

/// <summary>Instruments of the spool.</summary>
internal sealed class SpoolMetrics
{
    private readonly Counter<long> _quarantined;

    public SpoolMetrics(IMeterFactory meters, TurnSpool spool)
    {
        var meter = meters.Create(TelemetryExtensions.OwnPrefix + "Spool");
        _quarantined = meter.CreateCounter<long>("continuity.spool.quarantined", "{row}", "Rows that a service refuses for what they hold.");
        _ = meter.CreateObservableGauge("continuity.spool.size", () => spool.PendingBytes, "By", "What waits in the spool to be taken by the services.");
    }

    public void CountQuarantined(string service) => _quarantined.Add(1, new KeyValuePair<string, object?>("service", service));
}

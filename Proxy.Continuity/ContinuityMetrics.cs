using System.Diagnostics.Metrics;
using ServiceDefaults.Telemetry;

namespace Proxy.Continuity;

/// <summary>The service's counters.</summary>
internal sealed class ContinuityMetrics
{
    private readonly Counter<long> _resolutions;
    private readonly Counter<long> _conflicts;
    private readonly Counter<long> _rows;
    private readonly Counter<long> _quarantined;
    private readonly Counter<long> _claims;
    private readonly Counter<long> _fenced;

    public ContinuityMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(TelemetryExtensions.OwnPrefix + "Owners");
        _resolutions = meter.CreateCounter<long>("continuity.owner_lookup", "{id}", "Owner lookups by the store that answered and the outcome.");
        _conflicts = meter.CreateCounter<long>("continuity.owner_conflict", "{id}", "Publications of an id that has another owner already.");
        _rows = meter.CreateCounter<long>("continuity.request_log.rows", "{row}", "Rows taken in, repeated ones included.");
        _quarantined = meter.CreateCounter<long>("continuity.request_log.quarantined", "{row}", "Rows the database refuses for what they contain.");
        _claims = meter.CreateCounter<long>("continuity.session_claim", "{claim}", "Claims on sessions, by whether they were free.");
        _fenced = meter.CreateCounter<long>("continuity.session_fenced", "{write}", "Writes of edges whose claim on a session had been superseded.");
    }

    public void CountClaim(string outcome) => _claims.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    public void CountFenced(string write) => _fenced.Add(1, new KeyValuePair<string, object?>("write", write));

    public void CountResolution(string source, string outcome) => _resolutions.Add(1, new("source", source), new("outcome", outcome));

    public void CountConflict() => _conflicts.Add(1);

    public void CountRows(int rows, int quarantined)
    {
        _rows.Add(rows);
        _quarantined.Add(quarantined);
    }
}

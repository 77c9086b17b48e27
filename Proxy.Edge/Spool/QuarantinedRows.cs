using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Spool;

/// <summary>
/// Rows that a service refuses for what they hold: kept in <c>quarantine.jsonl</c> beside the spool, for somebody to look at, so that they hold up no others.
/// </summary>
internal sealed partial class QuarantinedRows(IOptions<EdgeOptions> options, SpoolMetrics metrics, ILogger<QuarantinedRows> logger)
{
    private const string FileName = "quarantine.jsonl";
    private const long MaxBytes = 16L << 20;

    private readonly Lock _gate = new();

    /// <summary>Keeps a row, as long as there is room; it is counted in any case.</summary>
    public void Add(string service, RequestLogRow row)
    {
        metrics.CountQuarantined(service);
        LogQuarantined(row.Id, service);
        try
        {
            // Two shippers at most, and that only where something is wrong.
            lock (_gate)
            {
                using var file = SpoolFiles.Open(Path.Combine(options.Value.SpoolDirectory, FileName), FileMode.Append, FileAccess.Write, FileShare.Read);
                if (file.Length < MaxBytes)
                {
                    file.Write(new SpoolRecord(null, row).ToLine());
                }
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            LogNotKept(row.Id, failure.GetType().Name);
        }
    }

    [LoggerMessage(404, LogLevel.Error, "The row of turn {TurnId} is set aside: the {Service} service refuses it")]
    private partial void LogQuarantined(Guid turnId, string service);

    [LoggerMessage(405, LogLevel.Error, "The row of turn {TurnId}, which was set aside, could not be kept ({Error})")]
    private partial void LogNotKept(Guid turnId, string error);
}

using System.ComponentModel.DataAnnotations;

namespace Proxy.Continuity.RequestLogs;

/// <summary>Section <c>Continuity:RequestLogs</c>.</summary>
internal sealed class RequestLogOptions
{
    public const string Section = "Continuity:RequestLogs";

    /// <summary>Days a row is kept. At least 31, since a stored response lives 30 days and its row may have to name its owner. Default 40.</summary>
    [Range(31, 3650)]
    public int RetentionDays { get; set; } = 40;

    /// <summary>Days whose partitions exist ahead of today. Default 7.</summary>
    [Range(1, 60)]
    public int DaysAhead { get; set; } = 7;
}

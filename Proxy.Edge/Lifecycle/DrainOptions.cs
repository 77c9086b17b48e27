using System.ComponentModel.DataAnnotations;

namespace Proxy.Edge.Lifecycle;

/// <summary>Section <c>Drain</c>.</summary>
internal sealed class DrainOptions
{
    public const string Section = "Drain";

    /// <summary>Seconds that running turns get to end once the edge is to stop. The process ends at most five seconds later. Default 8.</summary>
    [Range(0, 3600)]
    public int Seconds { get; set; } = 8;

    /// <summary>
    /// Seconds for which an edge that is to stop still takes connections, while it says that it is not ready: a balancer needs them to notice.
    /// Default 1.
    /// </summary>
    [Range(0.0, 60.0)]
    public double NoticeSeconds { get; set; } = 1;
}

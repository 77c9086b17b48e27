using System.ComponentModel.DataAnnotations;

namespace Proxy.Edge.Lifecycle;

/// <summary>Section <c>Drain</c>.</summary>
internal sealed class DrainOptions
{
    public const string Section = "Drain";

    /// <summary>Seconds that running turns get to end once the edge is to stop. The process ends at most five seconds later. Default 8.</summary>
    [Range(0, 3600)]
    public int Seconds { get; set; } = 8;
}

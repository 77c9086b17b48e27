using System.ComponentModel.DataAnnotations;

namespace Proxy.Edge.Sessions;

/// <summary>Whether turns over HTTP are carried over sessions.</summary>
internal enum SessionsMode
{
    /// <summary>Where it is of use: see <see cref="SessionPlaces"/>.</summary>
    Auto,

    /// <summary>Never; an anchor that lives on a socket is then of no use over HTTP.</summary>
    Off,
}

/// <summary>Section <c>Sessions</c>.</summary>
internal sealed class SessionsOptions
{
    public const string Section = "Sessions";

    /// <summary>Default: auto.</summary>
    public SessionsMode Mode { get; set; }

    /// <summary>Upstream sockets of all sessions of this edge; past it the one that has been idle the longest gives way. Default 4096.</summary>
    [Range(1, 100_000)]
    public int MaxSockets { get; set; } = 4096;

    /// <summary>Upstream sockets of one session, for conversations and turns side by side. Default 64.</summary>
    [Range(1, 100_000)]
    public int MaxSocketsPerScope { get; set; } = 64;

    /// <summary>Turns that may wait for one socket. Default 8.</summary>
    [Range(0, 64)]
    public int QueueLimit { get; set; } = 8;

    /// <summary>Seconds an unused socket of a scope by turn state or thread is kept. Default 900.</summary>
    [Range(0.01, 86400)]
    public double HardIdleSeconds { get; set; } = 900;

    /// <summary>Seconds an unused socket of a scope by session or conversation is kept. Default 900.</summary>
    [Range(0.01, 86400)]
    public double LocalityIdleSeconds { get; set; } = 900;

    /// <summary>Seconds an unused socket of a scope by cache key is kept. Default 1800.</summary>
    [Range(0.01, 86400)]
    public double SoftIdleSeconds { get; set; } = 1800;

    /// <summary>Seconds for which upstream may go on with a turn whose client has left, before its socket is cut. Default 30.</summary>
    [Range(0.01, 3600)]
    public double AbandonedTurnSeconds { get; set; } = 30;

    /// <summary>Seconds between looks for sockets that are to be closed. Default 5.</summary>
    [Range(0.01, 600)]
    public double SweepSeconds { get; set; } = 5;

    /// <summary>Milliseconds in which another edge must say that it holds a session; past them it is taken for gone. Default 500.</summary>
    [Range(10, 10_000)]
    public int ProbeMs { get; set; } = 500;
}

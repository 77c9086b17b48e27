using System.ComponentModel.DataAnnotations;

namespace Proxy.Edge;

/// <summary>Who may call without an API key.</summary>
internal enum AuthenticationMode
{
    /// <summary>Nobody.</summary>
    Required,

    /// <summary>Programs on this machine that talk to it directly: see <see cref="Callers.CallerAuthentication"/>.</summary>
    Loopback,
}

/// <summary>Section <c>Edge</c>.</summary>
internal sealed class EdgeOptions : IValidatableObject
{
    public const string Section = "Edge";

    /// <summary>This edge's name in log rows and leases, unique in the system. Default <c>edge</c>.</summary>
    [Required, StringLength(64, MinimumLength = 1)]
    public string Id { get; set; } = "edge";

    /// <summary>The port on which other edges and operators reach this one, never a client; 0: none. Default 0.</summary>
    [Range(0, ushort.MaxValue)]
    public int InternalPort { get; set; }

    /// <summary>Serves the admin API on the public port to everybody who has the token, and not only to callers on this machine. Default false.</summary>
    public bool AdminFromAnywhere { get; set; }

    /// <summary>Where the other edges reach this one: its internal port. Without it they cannot bring it the turns of its sessions. Default: none.</summary>
    [StringLength(256)]
    public string AdvertisedAddress { get; set; } = "";

    /// <summary>Default: loopback in Development, else required.</summary>
    public AuthenticationMode? Authentication { get; set; }

    /// <summary>Where log rows are kept until they are acknowledged. One edge, one directory. Default: <c>spool</c> in the working directory.</summary>
    [Required]
    public string SpoolDirectory { get; set; } = "spool";

    /// <summary>Bytes of rows that may wait; beyond it new turns are refused with 503. Default 256 MiB.</summary>
    [Range(1 << 20, 1L << 40)]
    public long SpoolMaxBytes { get; set; } = 256L << 20;

    /// <summary>A request body as it comes over the wire. Default 64 MiB.</summary>
    [Range(1 << 10, 1 << 30)]
    public int MaxRequestBytes { get; set; } = 64 << 20;

    /// <summary>A body after decompression, or a frame. Default 128 MiB.</summary>
    [Range(1 << 10, 1 << 30)]
    public int MaxDecompressedBytes { get; set; } = 128 << 20;

    /// <summary>An upload to a route that passes through. Default 512 MiB.</summary>
    [Range(1 << 10, 1L << 40)]
    public long MaxUploadBytes { get; set; } = 512L << 20;

    /// <summary>One event or frame of upstream, or one JSON answer. Default 64 MiB.</summary>
    [Range(1 << 10, 1 << 30)]
    public int MaxEventBytes { get; set; } = 64 << 20;

    /// <summary>
    /// Bytes that requests, frames, decompressed bodies and large events may take in this process. One key may have half of it. Default: a quarter of what the machine or container has.
    /// </summary>
    [Range(1 << 20, 1L << 40)]
    public long? MemoryBytes { get; set; }

    /// <summary>Seconds a turn may wait for a free slot. Default 30.</summary>
    [Range(0, 600)]
    public int AdmissionWaitSeconds { get; set; } = 30;

    /// <summary>
    /// Slots that are prefetched for turns to come, at most, for each key, model, kind of connection and preferred account: as many as there were turns lately, and only where half of
    /// an account is free and nobody waits. 0: each turn asks for its own. Default 64.
    /// </summary>
    [Range(0, 64)]
    public int PrefetchedSlots { get; set; } = 64;

    /// <summary>Seconds to connect to an account. Default 15.</summary>
    [Range(1, 300)]
    public int ConnectSeconds { get; set; } = 15;

    /// <summary>Seconds upstream may take to show <c>response.created</c> after a streamed turn was sent. Default 60.</summary>
    [Range(1, 3600)]
    public int CreatedSeconds { get; set; } = 60;

    /// <summary>Seconds of silence before <c>response.created</c> after which a client gets a keep-alive. Default 10.</summary>
    [Range(0.01, 300)]
    public double KeepAliveSeconds { get; set; } = 10;

    /// <summary>Seconds upstream may be silent within a streamed turn. Default 300.</summary>
    [Range(1, 3600)]
    public int IdleSeconds { get; set; } = 300;

    /// <summary>Seconds a request's body may pause while it is uploaded. Default 60.</summary>
    [Range(1, 3600)]
    public int BodyIdleSeconds { get; set; } = 60;

    /// <summary>Seconds a whole turn may take. Default 3600.</summary>
    [Range(1, 86400)]
    public int TurnSeconds { get; set; } = 3600;

    /// <summary>Age in seconds at which an upstream socket takes no new conversation, and is closed when it is unused: upstream cuts it at an hour. Default 3300.</summary>
    [Range(0.01, 3600)]
    public double RetireSocketSeconds { get; set; } = 3300;

    /// <summary>Milliseconds the terminal event waits for its response's owner to be published. Default 500.</summary>
    [Range(0, 10_000)]
    public int PublicationWaitMs { get; set; } = 500;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        // Each limit is of use only if those around it leave it room.
        (string Shorter, double Seconds, string Longer, double Limit)[] order =
        [
            (nameof(ConnectSeconds), ConnectSeconds, nameof(TurnSeconds), TurnSeconds),
            (nameof(CreatedSeconds), CreatedSeconds, nameof(TurnSeconds), TurnSeconds),
            (nameof(IdleSeconds), IdleSeconds, nameof(TurnSeconds), TurnSeconds),
        ];
        if (AdvertisedAddress.Length > 0 && !(Uri.TryCreate(AdvertisedAddress, UriKind.Absolute, out var address) && address.Scheme is "http" or "https"))
        {
            yield return new ValidationResult("Edge:AdvertisedAddress must be an http or https address.");
        }
        if (AdvertisedAddress.Length > 0 && InternalPort == 0)
        {
            yield return new ValidationResult("Edge:AdvertisedAddress needs Edge:InternalPort: what other edges ask is not served on the public port.");
        }
        if (KeepAliveSeconds >= CreatedSeconds)
        {
            yield return new ValidationResult("Edge:KeepAliveSeconds must be less than Edge:CreatedSeconds.");
        }
        foreach (var (shorter, _, longer, _) in order.Where(pair => pair.Seconds > pair.Limit))
        {
            yield return new ValidationResult($"Edge:{shorter} must not exceed Edge:{longer}.");
        }
        if (MaxRequestBytes > MaxDecompressedBytes)
        {
            yield return new ValidationResult("Edge:MaxRequestBytes must not exceed Edge:MaxDecompressedBytes.");
        }
    }
}

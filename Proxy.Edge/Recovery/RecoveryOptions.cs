using Proxy.Edge.Protocol;

namespace Proxy.Edge.Recovery;

/// <summary>Which turns are sent once more after a failure that leaves open whether upstream has begun to run them.</summary>
internal enum ReplayAfterClose
{
    /// <summary>An unanchored turn that was alone on its socket and of which nothing was created yet. It may run twice; it is counted as ambiguous.</summary>
    Precreated,

    /// <summary>Only a turn of which no byte was handed to the socket.</summary>
    Unsent,
}

/// <summary>Section <c>Recovery</c>.</summary>
internal sealed class RecoveryOptions
{
    public const string Section = "Recovery";

    /// <summary>Default: precreated.</summary>
    public ReplayAfterClose ReplayAfterClose { get; set; }

    /// <summary>
    /// Lets a turn leave the organisation that encrypted its reasoning, by dropping those items: it goes on with less thought rather than not
    /// at all. Default: false.
    /// </summary>
    public bool DropForeignReasoning { get; set; }

    /// <summary>True if a request may lose the reasoning that another organisation has encrypted. Without its compacted history a conversation does not go on.</summary>
    public bool MayDropReasoning(TurnRequest request) => DropForeignReasoning && !request.HasCompaction;
}

using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;

namespace Proxy.Edge.Turns;

/// <summary>How far a turn's response has come, for all who only look; written through <see cref="ResponseRecorder"/> by the one who sends the turn and relays its events.</summary>
internal abstract class ResponseProgress
{
    private protected ResponseProgress()
    {
    }

    /// <summary>How far it has come, in this attempt.</summary>
    public TurnPhase Phase { get; protected set; }

    /// <summary>True once the turn was handed to upstream, this time or an earlier one.</summary>
    public bool WasSent { get; protected set; }

    /// <summary>The id upstream gave, from <c>response.created</c> on.</summary>
    public string? Id { get; protected set; }

    /// <summary>The id whose owner is being published.</summary>
    public string? PublishedId { get; protected set; }

    /// <summary>Running since <c>response.created</c>.</summary>
    public Task<Publication>? Publication { get; protected set; }

    /// <summary>What its output brings that only its account knows and that may come back. Of a response that is not stored no item can be named.</summary>
    public IReadOnlyList<OwnedId> Outputs { get; protected set; } = [];

    /// <summary>The highest sequence number relayed; synthetic events go on from it.</summary>
    public long LastSequence { get; protected set; } = -1;

    public long? FirstEventTimestamp { get; protected set; }

    /// <summary>Deltas relayed, for the estimate of a cut turn's usage.</summary>
    public long Deltas { get; protected set; }

    /// <summary>The usage upstream has told.</summary>
    public TokenUsage? Usage { get; protected set; }

    /// <summary>What upstream said was wrong.</summary>
    public string? ErrorCode { get; protected set; }

    /// <summary>The turn state that upstream gave with it.</summary>
    public string? GivenTurnState { get; protected set; }

    /// <summary>The error event that the client has read while the response's end was still to come, and why; it is the turn's end if nothing else comes.</summary>
    public PassedError? Passed { get; protected set; }

    /// <summary>True once anything of the response was relayed: an end of ours must then end the response.</summary>
    public bool HasBegun => Phase >= TurnPhase.Created;
}

/// <summary>An error event that its client has read within a response that had begun.</summary>
/// <param name="Reason">For logs, counters and <c>x-continuity</c>.</param>
internal sealed record PassedError(UpstreamError Error, string Reason);

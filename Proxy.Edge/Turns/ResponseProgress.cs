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

/// <summary>Writes how far a response has come. It is handed out with the turn's attempt; one that was given up adds the usage that upstream still tells, and nothing else.</summary>
/// <param name="isStored">Upstream keeps the response, and its items can be named.</param>
internal sealed class ResponseRecorder(bool isStored) : ResponseProgress
{
    private int _attempts;
    private int _publishedOutputs;
    private bool _wasSentBefore;

    /// <summary>True if the client was told already that it was created, by an earlier attempt.</summary>
    public bool WasCreatedBefore => _attempts > 1 && Id is not null;

    /// <summary>True if its output has brought more since its owner was published.</summary>
    public bool HasUnpublishedOutputs => Outputs.Count > _publishedOutputs;

    /// <summary>The turn is about to be sent, for the first time or once more.</summary>
    public void BeginAttempt()
    {
        _attempts++;
        (ErrorCode, GivenTurnState, _wasSentBefore) = (null, null, WasSent);
        if (Phase < TurnPhase.Created)
        {
            (Id, Usage) = (null, null);
        }
        // Of a prewarm the client has seen that it was created; it stays so.
        Phase = Phase == TurnPhase.Created ? Phase : TurnPhase.Unsent;
    }

    /// <summary>The turn is being handed to upstream.</summary>
    public void NoteSent()
    {
        WasSent = true;
        Phase = Phase == TurnPhase.Unsent ? TurnPhase.Sent : Phase;
    }

    /// <summary>What was handed over was not taken: no byte of it left.</summary>
    public void NoteNotSent()
    {
        WasSent = _wasSentBefore;
        Phase = Phase == TurnPhase.Sent ? TurnPhase.Unsent : Phase;
    }

    /// <summary>Takes note of an event before it is relayed.</summary>
    public void Observe(EventHead head, long now)
    {
        FirstEventTimestamp ??= now;
        LastSequence = Math.Max(LastSequence, head.SequenceNumber ?? LastSequence);
        Deltas += head.Kind == EventKind.Delta ? 1 : 0;
        Phase = head.Kind switch
        {
            EventKind.Created => Phase < TurnPhase.Created ? TurnPhase.Created : Phase,
            EventKind.Delta or EventKind.Completed or EventKind.Incomplete or EventKind.Failed or EventKind.Error => TurnPhase.Visible,
            // Telemetry and keep-alives are not of the response; but after a numbered one a new response would count backwards.
            _ => head.SequenceNumber is { } sequence && (sequence > 0 || Phase < TurnPhase.Created) ? TurnPhase.Visible : Phase,
        };
    }

    /// <summary>Takes note of what a <c>response</c> object says.</summary>
    public void Observe(in ResponseFacts facts)
    {
        Id = facts.Id ?? Id;
        Usage = facts.Usage ?? Usage;
        ErrorCode = facts.Error?.Code ?? ErrorCode;
        Observe(facts.Outputs);
    }

    /// <summary>Takes note of what an item of its output brings.</summary>
    public void Observe(IReadOnlyList<OwnedId> outputs)
    {
        if (outputs.Count > 0)
        {
            Outputs = [.. Outputs.Union(outputs.Where(output => isStored || output.Kind != OwnedKinds.Item)).Take(ContinuityRoutes.MaxPublishedWith)];
        }
    }

    /// <summary>Takes note of what upstream says as it refuses the turn. A foreign id is not its own.</summary>
    public void ObserveRejection(in ResponseFacts facts) => Observe(Id is null ? facts : facts with { Id = null });

    /// <summary>Upstream gave a turn state.</summary>
    public void ObserveTurnState(string? turnState) => GivenTurnState = turnState ?? GivenTurnState;

    /// <summary>The client reads an error event, and the response's end may follow.</summary>
    public void Pass(UpstreamError error, string reason) => Passed = new PassedError(error, reason);

    /// <summary>The owner of what it has minted is being published, and of what its output brought so far.</summary>
    public void Publish(string id, Task<Publication> publication) => (PublishedId, Publication, _publishedOutputs) = (id, publication, Outputs.Count);
}

using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;

namespace Proxy.Edge.Turns;

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

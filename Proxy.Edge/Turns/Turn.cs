using System.Collections.Immutable;
using System.Diagnostics;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Clients;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>
/// One <c>response.create</c> and the response it gets. Its runner's until it is sent; then the one who relays its events writes, and its runner
/// only reads, until one of the two has ended it.
/// </summary>
/// <param name="id">Ours; everything about the turn is idempotent by it.</param>
/// <param name="acceptedAt">Fixed: half of the log row's key.</param>
/// <param name="timestamp">The same moment on the monotonic clock.</param>
internal sealed class Turn(Guid id, DateTimeOffset acceptedAt, long timestamp, TurnRequest request, Caller caller, TurnScope scope, string surface)
{
    private static readonly OwnerRoute Unresolved = new(null, null, "none", null);

    private int _hasEnded;
    private int _publishedOutputs;
    private bool _wasSentBefore;

    public Guid Id { get; private set; } = id;

    /// <summary>True once somebody else knows its id. Before that it may adopt the one under which a slot was prefetched.</summary>
    public bool IsIdPinned { get; private set; }

    public DateTimeOffset AcceptedAt { get; } = acceptedAt;

    public long AcceptedTimestamp { get; } = timestamp;

    public TurnRequest Request { get; } = request;

    public Caller Caller { get; } = caller;

    public TurnScope Scope { get; } = scope;

    /// <summary>One of <see cref="Surfaces"/>: how it goes on may depend on the account it is given.</summary>
    public string Surface => Session is null || surface == Surfaces.WebSocket ? surface : Surfaces.HttpSession;

    /// <summary>The session that carries it, or on whose socket its anchor lived.</summary>
    public string? Session => Claim?.Session ?? Route.Session;

    /// <summary>The edge's claim on the session that carries it; null while none does.</summary>
    public SessionClaim? Claim { get; set; }

    /// <summary>What an id in the answer names: a response, unless the route makes something else.</summary>
    public string MintedKind { get; init; } = OwnedKinds.Response;

    /// <summary>True for the Codex CLI, which recovers from a dead anchor unseen, and takes nothing but JSON events for a keep-alive.</summary>
    public bool IsCodex { get; init; }

    /// <summary>True for a turn that upstream began by itself, on a lane whose client sees it already: there is no request of its own to repeat.</summary>
    public bool IsSuccessor { get; init; }

    /// <summary>Length of the request, for the estimate of a cut turn's usage.</summary>
    public int RequestBytes { get; init; }

    /// <summary>The turn's span, from its admission on; requests that only pass have none.</summary>
    public Activity? Activity { get; set; }

    /// <summary>Where it must or would rather go, from its resolution on.</summary>
    public OwnerRoute Route { get; set; } = Unresolved;

    /// <summary>The domain that gave the turn state it carries; null where that is not known, or there is none.</summary>
    public string? TurnStateDomain { get; set; }

    /// <summary>The session that gave the turn state it carries.</summary>
    public string? TurnStateSession { get; set; }

    /// <summary>The domain that can read the encrypted content it carries; null where that is not known.</summary>
    public string? EncryptedIn { get; set; }

    /// <summary>The turn state that upstream gave with it.</summary>
    public string? GivenTurnState { get; set; }

    /// <summary>True if reasoning that only another organisation can read is left out.</summary>
    public bool DropsReasoning { get; set; }

    /// <summary>True once it has let an account cool down: what refuses it on a second one may be the turn's own.</summary>
    public bool HasCooled { get; set; }

    /// <summary>True once it was sent once more with another credential of its account.</summary>
    public bool CredentialWasRenewed { get; set; }

    /// <summary>True if it goes over plain HTTP although it could be carried by a session.</summary>
    public bool GoesOverHttp { get; private set; }

    /// <summary>Accounts that have failed the turn.</summary>
    public ImmutableArray<string> ExcludedAccountIds { get; private set; } = [];

    /// <summary>How often it was sent once more.</summary>
    public int Replays { get; private set; }

    /// <summary>What it was sent once more for.</summary>
    public string? ReplayTrigger { get; private set; }

    /// <summary>Why the client was told something of ours.</summary>
    public string? Reason { get; set; }

    /// <summary>The account whose slot the turn holds.</summary>
    public AdmittedAccount? Account { get; set; }

    /// <summary>The id upstream gave, from <c>response.created</c> on.</summary>
    public string? ResponseId { get; private set; }

    /// <summary>The id whose owner is being published.</summary>
    public string? PublishedId { get; private set; }

    /// <summary>What its output brings that only its account knows and that may come back. Of a response that is not stored no item can be named.</summary>
    public IReadOnlyList<OwnedId> Outputs { get; private set; } = [];

    /// <summary>Running since <c>response.created</c>.</summary>
    public Task<Publication>? Publication { get; private set; }

    /// <summary>True if its output has brought more since its owner was published.</summary>
    public bool HasUnpublishedOutputs => Outputs.Count > _publishedOutputs;

    /// <summary>The highest sequence number relayed; synthetic events go on from it.</summary>
    public long LastSequence { get; private set; } = -1;

    public long? FirstEventTimestamp { get; private set; }

    /// <summary>Deltas relayed, for the estimate of a cut turn's usage.</summary>
    public long Deltas { get; private set; }

    /// <summary>The usage upstream has told.</summary>
    public TokenUsage? Usage { get; private set; }

    public string? ErrorCode { get; private set; }

    /// <summary>How far it has come.</summary>
    public TurnPhase Phase { get; private set; }

    /// <summary>True if the client was told already that it was created, by an earlier sending of it.</summary>
    public bool WasCreatedBefore => Replays > 0 && ResponseId is not null;

    /// <summary>True once anything of the response was relayed: an end of ours must then end the response.</summary>
    public bool HasBegun => Phase >= TurnPhase.Created;

    /// <summary>What happened to it besides going well, for <c>x-continuity</c> and the log row: <c>owner=redis; replays=1; reason=usage_limit_reached</c>.</summary>
    public string Continuity
    {
        get
        {
            var reason = Reason ?? ReplayTrigger;
            return reason is null ? $"owner={Route.Source}; replays={Replays}" : $"owner={Route.Source}; replays={Replays}; reason={reason}";
        }
    }

    /// <summary>True once its client has left and its session drains it: who drains it ends it.</summary>
    public bool IsDrained { get; set; }

    /// <summary>The error event that the client has read while the response's end was still to come; it is the turn's end if nothing else comes.</summary>
    public UpstreamError? PassedError { get; set; }

    /// <summary>True once upstream has refused it in so many words.</summary>
    public bool WasRejected { get; set; }

    /// <summary>True once it was handed to upstream, this time or an earlier one.</summary>
    public bool WasSent { get; private set; }

    /// <summary>It is being handed to upstream.</summary>
    public void Send()
    {
        WasSent = true;
        Phase = Phase == TurnPhase.Unsent ? TurnPhase.Sent : Phase;
    }

    /// <summary>What was handed over was not taken: no byte of it left.</summary>
    public void Unsend()
    {
        WasSent = _wasSentBefore;
        Phase = Phase == TurnPhase.Sent ? TurnPhase.Unsent : Phase;
    }

    /// <summary>The id, to be told to somebody else: from now on it stays.</summary>
    public Guid PinId()
    {
        IsIdPinned = true;
        return Id;
    }

    /// <summary>Adopts the id under which its slot was prefetched.</summary>
    /// <exception cref="InvalidOperationException">Its own is known already; see <see cref="IsIdPinned"/>.</exception>
    public void AdoptId(Guid leased) => Id = IsIdPinned ? throw new InvalidOperationException("The turn's id is known already.") : leased;

    /// <summary>It is to be sent once more.</summary>
    /// <param name="failedAccountId">The account that is not to have it again.</param>
    public void Replay(string trigger, string? failedAccountId)
    {
        Replays++;
        ReplayTrigger = trigger;
        if (failedAccountId is not null)
        {
            ExcludedAccountIds = ExcludedAccountIds.Add(failedAccountId);
        }
        (ErrorCode, WasRejected, _wasSentBefore) = (null, false, WasSent);
        if (Phase < TurnPhase.Created)
        {
            (ResponseId, Usage) = (null, null);
        }
        // Of a prewarm the client has seen that it was created; it stays so.
        Phase = Phase == TurnPhase.Created ? Phase : TurnPhase.Unsent;
    }

    /// <summary>The socket of a session will not do: it goes over plain HTTP.</summary>
    public void GoOverHttp(string reason)
    {
        (GoesOverHttp, Claim, Reason) = (true, null, reason);
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

    /// <summary>The owner of what it has minted is being published, and of what its output brought so far.</summary>
    public void Publish(string id, Task<Publication> publication) => (PublishedId, Publication, _publishedOutputs) = (id, publication, Outputs.Count);

    /// <summary>Takes note of what a <c>response</c> object says.</summary>
    public void Observe(in ResponseFacts facts)
    {
        ResponseId = facts.Id ?? ResponseId;
        Usage = facts.Usage ?? Usage;
        ErrorCode = facts.Error?.Code ?? ErrorCode;
        Observe(facts.Outputs);
    }

    /// <summary>Takes note of what an item of its output brings.</summary>
    public void Observe(IReadOnlyList<OwnedId> outputs)
    {
        if (outputs.Count > 0)
        {
            Outputs = [.. Outputs.Union(outputs.Where(output => Request.Store || output.Kind != OwnedKinds.Item)).Take(ContinuityRoutes.MaxPublishedWith)];
        }
    }

    /// <summary>Takes note of an error of ours; the API has no code for what is not there, but the log has.</summary>
    public void Observe(ApiError error) => ErrorCode = error.Code ?? "not_found";

    /// <summary>True once it has ended, and is only to be told of.</summary>
    public bool HasEnded => Volatile.Read(ref _hasEnded) == 1;

    /// <summary>True for the first caller only: a turn ends once.</summary>
    public bool TryEnd() => Interlocked.Exchange(ref _hasEnded, 1) == 0;
}

using System.Diagnostics;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>One <c>response.create</c> and the response it gets. Touched by one task at a time: its runner, then the pump that relays it.</summary>
/// <param name="id">Ours; everything about the turn is idempotent by it.</param>
/// <param name="acceptedAt">Fixed: half of the log row's key.</param>
/// <param name="timestamp">The same moment on the monotonic clock.</param>
internal sealed class Turn(Guid id, DateTimeOffset acceptedAt, long timestamp, TurnRequest request, Caller caller, TurnScope scope, string surface)
{
    private int _hasEnded;

    public Guid Id { get; } = id;

    public DateTimeOffset AcceptedAt { get; } = acceptedAt;

    public long AcceptedTimestamp { get; } = timestamp;

    public TurnRequest Request { get; } = request;

    public Caller Caller { get; } = caller;

    public TurnScope Scope { get; } = scope;

    public string Surface { get; } = surface;

    /// <summary>What an id in the answer names: a response, unless the route makes something else.</summary>
    public string MintedKind { get; init; } = OwnedKinds.Response;

    /// <summary>Length of the request, for the estimate of a cut turn's usage.</summary>
    public int RequestBytes { get; init; }

    /// <summary>The turn's span, from its admission on; requests that only pass have none.</summary>
    public Activity? Activity { get; set; }

    /// <summary>How the turn's account was found: which store knew the owner, or that there was none to find.</summary>
    public string OwnerSource { get; set; } = "none";

    /// <summary>The account whose slot the turn holds.</summary>
    public AdmittedAccount? Account { get; set; }

    /// <summary>Canceled when the slot is lost: it may be another turn's by then.</summary>
    public CancellationToken LeaseLost { get; set; }

    /// <summary>The id upstream gave, from <c>response.created</c> on.</summary>
    public string? ResponseId { get; private set; }

    /// <summary>Running since <c>response.created</c>; true when the owner is kept.</summary>
    public Task<bool>? Publication { get; set; }

    /// <summary>The highest sequence number relayed; synthetic events go on from it.</summary>
    public long LastSequence { get; private set; } = -1;

    public long? FirstEventTimestamp { get; private set; }

    /// <summary>Deltas relayed, for the estimate of a cut turn's usage.</summary>
    public long Deltas { get; private set; }

    /// <summary>The usage upstream has told.</summary>
    public TokenUsage? Usage { get; private set; }

    public string? ErrorCode { get; private set; }

    /// <summary>True once anything of the response has been seen.</summary>
    public bool HasBegun => ResponseId is not null || LastSequence >= 0;

    /// <summary>Takes note of an event before it is relayed.</summary>
    public void Observe(EventHead head, long now)
    {
        FirstEventTimestamp ??= now;
        LastSequence = Math.Max(LastSequence, head.SequenceNumber ?? LastSequence);
        Deltas += head.Kind == EventKind.Delta ? 1 : 0;
    }

    /// <summary>Takes note of what a <c>response</c> object says.</summary>
    public void Observe(in ResponseFacts facts)
    {
        ResponseId ??= facts.Id;
        Usage = facts.Usage ?? Usage;
        ErrorCode = facts.ErrorCode ?? ErrorCode;
    }

    /// <summary>Takes note of an error of ours.</summary>
    public void Observe(ApiError error) => ErrorCode = error.Code;

    /// <summary>True for the first caller only: a turn ends once.</summary>
    public bool TryEnd() => Interlocked.Exchange(ref _hasEnded, 1) == 0;
}

using ServiceDefaults.Http;

namespace Proxy.Edge.Recovery;

/// <summary>What is done about a signal.</summary>
internal enum RecoveryAction
{
    /// <summary>The client gets what upstream said, as it came.</summary>
    Surface,

    /// <summary>The client gets an answer of ours.</summary>
    Answer,

    /// <summary>The client is asked to retry; that its anchor was not found is kept from it.</summary>
    Mask,

    /// <summary>The client is told that its anchor is dead, so that it rebuilds from its history.</summary>
    Canonical,

    /// <summary>Sent once more, on a fresh socket of the same account if it has room.</summary>
    ReplayHere,

    /// <summary>Sent once more, to another account of the domain if it has one; the one that failed is excluded.</summary>
    ReplayElsewhere,

    /// <summary>Sent over plain HTTP, to the same account: the socket that the gateway has put it on will not do.</summary>
    OverHttp,

    /// <summary>Sent once more, to any account that has not had it: what it names or carries is at home there, if anywhere.</summary>
    TryElsewhere,

    /// <summary>The account's credential is read anew; if it has changed, the turn is sent once more with it.</summary>
    RefreshCredential,

    /// <summary>Sent once more without the reasoning that its account cannot read.</summary>
    DropReasoning,

    /// <summary>The client's stream ends, and its response does not: the client goes on from the last event it has.</summary>
    RunsOn,

    /// <summary>Nobody is there to be told.</summary>
    Abandon,
}

/// <summary>A decision and why it was taken.</summary>
/// <param name="Reason">For logs, counters and <c>x-continuity</c>.</param>
/// <param name="Tell">What the client is told, where the action tells it something of ours.</param>
/// <param name="Wait">Before the turn is sent once more.</param>
internal sealed record RecoveryDecision(RecoveryAction Action, string Reason, ApiError? Tell = null, TimeSpan Wait = default)
{
    /// <summary>True if the turn goes to upstream again.</summary>
    public bool IsReplay => Action is RecoveryAction.ReplayHere or RecoveryAction.ReplayElsewhere or RecoveryAction.TryElsewhere or RecoveryAction.RefreshCredential or RecoveryAction.DropReasoning;
}

/// <summary>What the operator has chosen.</summary>
/// <param name="OwnerWait">For how long an owner that is away is worth coming back for.</param>
/// <param name="LimitWait">For how long the gateway waits for a limit to be whole again, rather than tell the client.</param>
internal sealed record RecoverySettings(
    NotFoundContract NotFoundContract = NotFoundContract.Auto,
    TimeSpan OwnerWait = default,
    ReplayAfterClose ReplayAfterClose = ReplayAfterClose.Precreated,
    bool DropForeignReasoning = false,
    TimeSpan LimitWait = default);

using System.Collections.Immutable;
using System.Diagnostics;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Turns;

/// <summary>
/// One <c>response.create</c> on its way: accepted, then resolved, admitted, and attempted, perhaps more than once, until it has ended. The one task that runs it takes it from
/// step to step; what becomes of its response is written by whoever holds its <see cref="TurnAttempt"/>.
/// </summary>
internal sealed class Turn(AcceptedRequest accepted)
{
    private readonly ResponseRecorder _response = new(accepted.Request.Store);
    private string? _told;
    private string? _leftSessionFor;
    private int _hasCooled;
    private int _hasEnded;

    public AcceptedRequest Accepted { get; } = accepted;

    public TurnRequest Request => Accepted.Request;

    public Caller Caller => Accepted.Caller;

    public TurnScope Scope => Accepted.Scope;

    public Guid Id { get; private set; } = accepted.Id;

    /// <summary>True once somebody else knows its id. Before that it may adopt the one under which a slot was prefetched.</summary>
    public bool IsIdPinned { get; private set; }

    /// <summary>One of <see cref="Surfaces"/>: how it goes on may depend on the account it is given.</summary>
    public string Surface => Accepted.SurfaceOn(Session);

    /// <summary>The session that carries it, or on whose socket its anchor lived.</summary>
    public string? Session => Claim?.Session ?? Route.Session;

    /// <summary>The edge's claim on the session that carries it; null while none does.</summary>
    public SessionClaim? Claim { get; private set; }

    /// <summary>The turn's span, from its resolution on.</summary>
    public Activity? Activity { get; private set; }

    /// <summary>What is known of where it is at home.</summary>
    public Resolution Resolution { get; private set; } = Resolution.None;

    /// <summary>Where it must or would rather go.</summary>
    public OwnerRoute Route => Resolution.Route;

    /// <summary>What it was given to run with; null until then.</summary>
    public Admitted? Admitted { get; private set; }

    /// <summary>The account whose slot the turn holds.</summary>
    public AdmittedAccount? Account => Admitted?.Account;

    /// <summary>How far its response has come.</summary>
    public ResponseProgress Response => _response;

    /// <summary>True once it was sent once more with another credential of its account.</summary>
    public bool CredentialWasRenewed { get; private set; }

    /// <summary>True if it goes over plain HTTP although it could be carried by a session.</summary>
    public bool GoesOverHttp { get; private set; }

    /// <summary>Accounts that have failed the turn.</summary>
    public ImmutableArray<string> ExcludedAccountIds { get; private set; } = [];

    /// <summary>How often it was sent once more.</summary>
    public int Replays { get; private set; }

    /// <summary>What it was sent once more for.</summary>
    public string? ReplayTrigger { get; private set; }

    /// <summary>What happened to it besides going well.</summary>
    public string? Reason => _told ?? Response.Passed?.Reason ?? _leftSessionFor ?? ReplayTrigger;

    /// <summary>The same with where its owner was found, for <c>x-continuity</c> and the log row: <c>owner=redis; replays=1; reason=usage_limit_reached</c>.</summary>
    public string Continuity => Reason is { } reason ? $"owner={Route.Source}; replays={Replays}; reason={reason}" : $"owner={Route.Source}; replays={Replays}";

    /// <summary>True once it has ended, and is only to be told of.</summary>
    public bool HasEnded => Volatile.Read(ref _hasEnded) == 1;

    /// <summary>The id, to be told to somebody else: from now on it stays.</summary>
    public Guid PinId()
    {
        IsIdPinned = true;
        return Id;
    }

    /// <summary>Adopts the id under which its slot was prefetched.</summary>
    /// <exception cref="InvalidOperationException">Its own is known already; see <see cref="IsIdPinned"/>.</exception>
    public void AdoptId(Guid leased) => Id = IsIdPinned ? throw new InvalidOperationException("The turn's id is known already.") : leased;

    /// <summary>Its span begins.</summary>
    public void Trace(Activity? activity) => Activity = activity;

    /// <summary>It is known where it is at home.</summary>
    public void Resolve(Resolution resolution) => Resolution = resolution;

    /// <summary>It is given an account, at first or in place of the one before.</summary>
    public void Admit(Admitted admitted) => Admitted = admitted;

    /// <summary>A session carries it, or none.</summary>
    public void CarryBy(SessionClaim? claim) => Claim = claim;

    /// <summary>It is sent, for the first time or once more.</summary>
    /// <exception cref="InvalidOperationException">It was given no account.</exception>
    public TurnAttempt BeginAttempt()
    {
        var account = Account ?? throw new InvalidOperationException("The turn was given no account.");
        _response.BeginAttempt();
        return new TurnAttempt(this, account, _response);
    }

    /// <summary>It is to be sent once more.</summary>
    /// <param name="failedAccountId">The account that is not to have it again.</param>
    /// <param name="withNewCredential">The account stays, its credential has changed.</param>
    public void Replay(string trigger, string? failedAccountId, bool withNewCredential = false)
    {
        Replays++;
        (ReplayTrigger, CredentialWasRenewed) = (trigger, CredentialWasRenewed || withNewCredential);
        if (failedAccountId is not null)
        {
            ExcludedAccountIds = ExcludedAccountIds.Add(failedAccountId);
        }
    }

    /// <summary>The socket of a session will not do: it goes over plain HTTP.</summary>
    public void GoOverHttp(string reason) => (GoesOverHttp, Claim, _leftSessionFor) = (true, null, reason);

    /// <summary>Why the client is told something of ours.</summary>
    public void Explain(string reason) => _told = reason;

    /// <summary>True for the first caller only: a turn lets one account cool down; what refuses it on a second one may be the turn's own fault.</summary>
    public bool TryCoolAccount() => Interlocked.Exchange(ref _hasCooled, 1) == 0;

    /// <summary>True for the first caller only: a turn ends once.</summary>
    public bool TryEnd() => Interlocked.Exchange(ref _hasEnded, 1) == 0;
}

/// <summary>One sending of a turn to the account it was given. Who holds it writes what becomes of the response; all others read that.</summary>
/// <param name="Response">What comes of it.</param>
internal sealed record TurnAttempt(Turn Turn, AdmittedAccount Account, ResponseRecorder Response);

using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Owners;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Sessions;

/// <summary>Where a turn over HTTP is to run.</summary>
internal abstract record SessionPlace
{
    private SessionPlace()
    {
    }

    /// <summary>Here, over the sockets of a session, which is in use until the turn is done.</summary>
    internal sealed record OnSession(Lease<Session> Session) : SessionPlace;

    /// <summary>Here, over plain HTTP.</summary>
    internal sealed record Plain : SessionPlace;

    /// <summary>On another edge, which holds its session.</summary>
    internal sealed record Elsewhere(SessionHolder Holder) : SessionPlace;

    /// <summary>Not here, where another edge has sent it.</summary>
    internal sealed record Misdirected : SessionPlace;

    /// <summary>Nowhere.</summary>
    internal sealed record Nowhere(RecoverySignal Signal) : SessionPlace;

    /// <summary>The socket on which its anchor lived is gone.</summary>
    public static SessionPlace AnchorGone { get; } = new Nowhere(new RecoverySignal(SignalKind.AnchorGone));
}

/// <summary>
/// Finds the place of a turn: on the session that made its anchor, or else on its scope's, here or on another edge. A turn without an anchor needs no socket
/// of old: where its scope's holder is gone or silent it runs beside, and the scope is claimed when the lease allows.
/// </summary>
internal sealed class SessionPlaces(
    SessionRegistry registry, ContinuityClient continuity, SessionHolders holders, Drain drain, IOptions<EdgeOptions> edge, IOptions<SessionsOptions> options,
    TimeProvider time)
{
    private const string Path = "/responses";
    private static readonly TimeSpan RenewalBound = TimeSpan.FromSeconds(SessionClaim.RenewIntervalSeconds + 0.5);
    private static readonly TimeSpan RenewalPause = TimeSpan.FromMilliseconds(100);

    /// <param name="path">Below an account's base URL.</param>
    /// <param name="forwardedFor">The session for which another edge has sent the turn here.</param>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    public async ValueTask<SessionPlace> FindAsync(Turn turn, string path, string? forwardedFor, CancellationToken cancellationToken)
    {
        // A body that names a type would be a frame of its own making.
        var isCarried = options.Value.Mode == SessionsMode.Auto && path == Path && !turn.Request.Background && turn.Request.Type is null;
        if (turn.Route.Anchor == Anchor.Local)
        {
            return isCarried && turn.Route.Session is { } home ? await OfAnchorAsync(turn.Request.PreviousResponseId!, home, forwardedFor, cancellationToken) : SessionPlace.AnchorGone;
        }
        // What upstream stores can be continued from anywhere.
        return isCarried && !turn.Request.Store && KeyOf(turn) is { } key ? await OfScopeAsync(turn, key, forwardedFor, cancellationToken) : new SessionPlace.Plain();
    }

    /// <summary>The place of a turn whose session is not where it was thought to be, or not any more.</summary>
    public SessionPlace WithoutHolder(Turn turn) => turn.Route.Anchor == Anchor.Local ? SessionPlace.AnchorGone
        // A socket that is opened now does not live long enough for a follow-up.
        : drain.Noticed.IsCancellationRequested ? new SessionPlace.Plain()
        : new SessionPlace.OnSession(registry.OpenFallback(KeyOf(turn)!, turn.Caller.KeyId));

    private static SessionKey? KeyOf(Turn turn) =>
        turn.Resolution.TurnStateSession is { } given ? new SessionKey(given, ScopeStrength.Hard) : SessionKey.Of(turn.Caller.KeyId, turn.Scope);

    private async Task<SessionPlace> OfAnchorAsync(string anchor, string name, string? forwardedFor, CancellationToken cancellationToken)
    {
        if (registry.TryUse(name) is { } session)
        {
            session.Value.HasFollowUps = true;
            if (session.Value.Holding(anchor) is not null)
            {
                return new SessionPlace.OnSession(session);
            }
            // Not after an admission that may say that the account is away: it would not help.
            session.Dispose();
            return SessionPlace.AnchorGone;
        }
        if (forwardedFor is not null)
        {
            return new SessionPlace.Misdirected();
        }
        if (await FindAsync(name, cancellationToken) is not { } found)
        {
            return new SessionPlace.Nowhere(new RecoverySignal(SignalKind.LookupFailed));
        }
        return found.Address is { } address && await HoldsAsync(address, name, anchor, cancellationToken)
            ? new SessionPlace.Elsewhere(new SessionHolder(address, name))
            : SessionPlace.AnchorGone;
    }

    // A store that has lost the record gets it back with the holder's next renewal; until then nobody can say that the anchor is dead.
    private async Task<FindSessionResponse?> FindAsync(string name, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            var found = await continuity.FindSessionAsync(name, cancellationToken);
            if (found is not { IsKnown: false } || time.GetElapsedTime(started) > RenewalBound)
            {
                return found;
            }
            await Task.Delay(RenewalPause, time, cancellationToken);
        }
    }

    private async Task<SessionPlace> OfScopeAsync(Turn turn, SessionKey key, string? forwardedFor, CancellationToken cancellationToken)
    {
        if ((registry.TryUse(key.Name) ?? registry.TryUseFallback(key)) is { } session)
        {
            return new SessionPlace.OnSession(session);
        }
        if (forwardedFor is not null)
        {
            return new SessionPlace.Misdirected();
        }
        if (key.Strength == ScopeStrength.Soft || drain.Noticed.IsCancellationRequested)
        {
            return WithoutHolder(turn);
        }
        // An anchor that nobody knows may have been made there while its owner could not be told: only that edge can say, and to claim the session from it would
        // end what it holds.
        if (turn.Route.Anchor == Anchor.Unknown && await continuity.FindSessionAsync(key.Name, cancellationToken) is { Address: { } last }
            && await HoldsAsync(last, key.Name, turn.Request.PreviousResponseId, cancellationToken))
        {
            return new SessionPlace.Elsewhere(new SessionHolder(last, key.Name));
        }
        var (opened, heldAt, isKnown) = await AskAsync(turn, key, cancellationToken);
        if (opened is not null)
        {
            return new SessionPlace.OnSession(opened);
        }
        if (!isKnown && key.Strength == ScopeStrength.Hard)
        {
            return drain.Noticed.IsCancellationRequested ? new SessionPlace.Plain() : new SessionPlace.Nowhere(new RecoverySignal(SignalKind.SessionUnknown));
        }
        return heldAt is not null && await HoldsAsync(heldAt, key.Name, anchor: null, cancellationToken)
            ? new SessionPlace.Elsewhere(new SessionHolder(heldAt, key.Name))
            : WithoutHolder(turn);
    }

    private async Task<(Lease<Session>? Session, string? HeldAt, bool IsKnown)> AskAsync(Turn turn, SessionKey key, CancellationToken cancellationToken)
    {
        if (key.IsFallback)
        {
            // Another edge made the name, and nobody but it can claim it.
            var found = await continuity.FindSessionAsync(key.Name, cancellationToken);
            return (null, found?.Address, found is not null);
        }
        var answer = await registry.OpenAsync(key, turn.Caller.KeyId, cancellationToken);
        return (answer?.Session, answer?.HeldAt, answer is not null);
    }

    private async Task<bool> HoldsAsync(string address, string name, string? anchor, CancellationToken cancellationToken) =>
        address.Length > 0 && address != edge.Value.AdvertisedAddress && await holders.HoldsAsync(address, name, anchor, cancellationToken);
}

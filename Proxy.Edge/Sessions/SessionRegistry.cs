using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Threading.Channels;
using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Owners;

namespace Proxy.Edge.Sessions;

/// <summary>How the opening of a session ended.</summary>
/// <param name="Session">In use, until the lease is disposed; null if another edge holds it.</param>
/// <param name="HeldAt">Where that edge is.</param>
internal sealed record OpenedSession(Lease<Session>? Session, string? HeldAt = null);

/// <summary>
/// The sessions that this edge holds. Opening one is a single flight for each name and waits for nothing but its own claim; what is under way ends by its
/// own bound, whoever leaves meanwhile.
/// </summary>
internal sealed class SessionRegistry(
    ContinuityClient continuity, SessionMetrics metrics, Drain drain, IOptions<EdgeOptions> options, TimeProvider time)
{
    // While a scope that another edge has claimed is served beside it: how often that edge is asked after.
    private static readonly TimeSpan ClaimPause = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, Session> _sessions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Session> _fallbacks = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Lazy<Task<ClaimedSession?>>> _opening = new(StringComparer.Ordinal);

    // Says no more than that it is worth looking: many that end at once are closed together.
    private readonly Channel<bool> _emptied = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    public IEnumerable<Session> All => _sessions.Values;

    public int Count => _sessions.Count;

    /// <summary>The session by its name, in use; null if it is not here.</summary>
    public Lease<Session>? TryUse(string name) => _sessions.TryGetValue(name, out var session) ? TryUse(session) : null;

    /// <summary>The session that stands in for a scope's own, in use; null if there is none, or if it is time to ask for the scope's own again.</summary>
    public Lease<Session>? TryUseFallback(SessionKey key)
    {
        if (!_fallbacks.TryGetValue(key.ScopeName, out var session))
        {
            return null;
        }
        if (key.Strength != ScopeStrength.Soft && time.GetElapsedTime(session.ScopeAsked) > ClaimPause)
        {
            session.ScopeAsked = time.GetTimestamp();
            return null;
        }
        return TryUse(session);
    }

    /// <summary>Claims a session, unless it is here already; null when the store cannot be asked, and when this edge is on its way out.</summary>
    /// <exception cref="OperationCanceledException">Canceled; what others wait for too goes on.</exception>
    public async Task<OpenedSession?> OpenAsync(SessionKey key, string keyId, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_sessions.TryGetValue(key.Name, out var known))
            {
                if (TryUse(known) is { } use)
                {
                    return new OpenedSession(use);
                }
                await known.WhenClosed.WaitAsync(cancellationToken);
                continue;
            }
            var flight = _opening.GetOrAdd(key.Name, _ => new Lazy<Task<ClaimedSession?>>(() => ClaimAsync(key, keyId)));
            var claimed = await flight.Value.WaitAsync(cancellationToken);
            if (claimed?.Session is null)
            {
                return claimed is null ? null : new OpenedSession(null, claimed.HeldAt);
            }
            if (TryUse(claimed.Session) is { } own)
            {
                return new OpenedSession(own);
            }
        }
    }

    /// <summary>Opens a session beside a scope's own, or finds the one that is there; in use. Nobody has to be asked.</summary>
    public Lease<Session> OpenFallback(SessionKey key, string keyId)
    {
        while (true)
        {
            if (_fallbacks.TryGetValue(key.ScopeName, out var known) && TryUse(known) is { } shared)
            {
                return shared;
            }
            var epoch = time.GetUtcNow().Ticks / TimeSpan.TicksPerMicrosecond;
            var next = key.Fallback();
            var session = new Session(next, keyId, new SessionLease(new SessionClaim(next.Name, NewHolder(), epoch), isContested: false, time, time.GetTimestamp()))
            {
                ScopeAsked = time.GetTimestamp(),
            };
            var use = TryUse(session)!;
            if (known is null ? _fallbacks.TryAdd(key.ScopeName, session) : _fallbacks.TryUpdate(key.ScopeName, session, known))
            {
                Add(session);
                return use;
            }
        }
    }

    /// <summary>A session may have nothing left.</summary>
    public void NoteEmptied() => _emptied.Writer.TryWrite(true);

    /// <summary>Waits until a session may have nothing left.</summary>
    /// <exception cref="OperationCanceledException">Canceled.</exception>
    public async Task WaitForEmptiedAsync(CancellationToken cancellationToken) => await _emptied.Reader.ReadAsync(cancellationToken);

    /// <summary>Closes those sessions of which nothing is left, and gives up their claims.</summary>
    public async Task CloseEmptyAsync(IEnumerable<Session> sessions, CancellationToken cancellationToken)
    {
        foreach (var closed in sessions.Where(session => session.TryClose()).Chunk(ContinuityRoutes.MaxSessions))
        {
            try
            {
                await continuity.ReleaseSessionsAsync([.. closed.Select(session => session.Lease.Claim)], cancellationToken);
            }
            finally
            {
                foreach (var session in closed)
                {
                    Remove(session);
                }
            }
        }
    }

    private async Task<ClaimedSession?> ClaimAsync(SessionKey key, string keyId)
    {
        try
        {
            var (asOf, holder) = (time.GetTimestamp(), NewHolder());
            // Not a caller's token: others wait for it, too, and the call has a bound of its own.
            var answer = await continuity.ClaimSessionAsync(new ClaimSessionRequest(key.Name, holder, options.Value.AdvertisedAddress), CancellationToken.None);
            if (answer is null || answer.Holder != holder)
            {
                return answer is null ? null : new ClaimedSession(null, answer.Address);
            }
            var claim = new SessionClaim(key.Name, holder, answer.Epoch);
            if (drain.Noticed.IsCancellationRequested)
            {
                // It came too late to be seen by those who give all claims up.
                await continuity.ReleaseSessionsAsync([claim], CancellationToken.None);
                return null;
            }
            var session = new Session(key, keyId, new SessionLease(claim, isContested: true, time, asOf))
            {
                Account = answer is { AccountId: { } account, Domain: { } domain } ? new SessionAccount(account, domain) : null,
            };
            Add(session);
            return new ClaimedSession(session);
        }
        finally
        {
            _opening.TryRemove(key.Name, out _);
        }
    }

    private Lease<Session>? TryUse(Session session) => session.TryUse() ? new Lease<Session>(session, EndUse) : null;

    private void EndUse(Session session)
    {
        session.EndUse();
        if (session.Sockets.Count == 0)
        {
            NoteEmptied();
        }
    }

    private void Add(Session session)
    {
        _sessions[session.Key.Name] = session;
        metrics.CountSession(1);
    }

    private void Remove(Session session)
    {
        if (_sessions.TryRemove(new KeyValuePair<string, Session>(session.Key.Name, session)))
        {
            metrics.CountSession(-1);
        }
        _fallbacks.TryRemove(new KeyValuePair<string, Session>(session.Key.ScopeName, session));
        session.SetClosed();
    }

    private sealed record ClaimedSession(Session? Session, string? HeldAt = null);

    private static string NewHolder() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
}

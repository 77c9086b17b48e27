using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>Session records and the claims on them, in memory: leases end by the clock, as those of the real service do.</summary>
internal sealed class FakeSessions
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Record> _records = [];
    private long _epoch = 1_000;

    /// <summary>What was asked, whatever was answered.</summary>
    public ConcurrentQueue<ClaimSessionRequest> Claimed { get; } = new();

    public ConcurrentQueue<FindSessionRequest> Found { get; } = new();

    public ConcurrentQueue<WriteSessionRequest> Written { get; } = new();

    public ConcurrentQueue<RenewSessionsRequest> Renewed { get; } = new();

    public ConcurrentQueue<ReleaseSessionsRequest> Released { get; } = new();

    /// <summary>Answers a claim; null is 503.</summary>
    public Func<ClaimSessionRequest, Task<ClaimSessionResponse?>> OnClaim { get; set; }

    /// <summary>Answers a search; null is 503.</summary>
    public Func<FindSessionRequest, Task<FindSessionResponse?>> OnFind { get; set; }

    /// <summary>Answers a write by a status.</summary>
    public Func<WriteSessionRequest, Task<int>> OnWrite { get; set; }

    /// <summary>Answers a renewal; null is 503.</summary>
    public Func<RenewSessionsRequest, Task<RenewSessionsResponse?>> OnRenew { get; set; }

    /// <summary>Answers a release by a status.</summary>
    public Func<ReleaseSessionsRequest, Task<int>> OnRelease { get; set; }

    /// <summary>Whether the store cannot be asked: 503 to everything about sessions.</summary>
    public bool IsAway { get; set; }

    public FakeSessions()
    {
        OnClaim = request => Task.FromResult(IsAway ? null : Claim(request));
        OnFind = request => Task.FromResult(IsAway ? null : Find(request));
        OnWrite = request => Task.FromResult(IsAway ? 503 : Write(request));
        OnRenew = request => Task.FromResult(IsAway ? null : Renew(request));
        OnRelease = request => Task.FromResult(IsAway ? 503 : Release(request));
    }

    /// <summary>What edges call the session of a scope.</summary>
    public static string NameOf(string scope, string keyId = "key-1") =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{keyId}:{scope}")));

    /// <summary>Sessions whose claim lives.</summary>
    public IReadOnlyList<string> Live
    {
        get
        {
            lock (_lock)
            {
                return [.. _records.Where(record => IsLive(record.Value)).Select(record => record.Key)];
            }
        }
    }

    /// <summary>Where the edge is that holds a session; null if none does.</summary>
    public string? HolderOf(string session)
    {
        lock (_lock)
        {
            return _records.TryGetValue(session, out var record) && IsLive(record) ? record.Address : null;
        }
    }

    /// <summary>Gives a session to an edge that nobody else knows of; whoever held it is superseded.</summary>
    public void Supersede(string session, string address)
    {
        lock (_lock)
        {
            _records.TryGetValue(session, out var old);
            _records[session] = new Record(Guid.CreateVersion7().ToString("N"), ++_epoch, address, old?.AccountId, old?.Domain) { Until = DateTimeOffset.MaxValue };
        }
    }

    /// <summary>Forgets all there was.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _records.Clear();
        }
        Claimed.Clear();
        Found.Clear();
        Written.Clear();
        Renewed.Clear();
        Released.Clear();
    }

    /// <summary>Ends the lease of a session whose holder has not been heard of.</summary>
    public void Lapse(string session)
    {
        lock (_lock)
        {
            _records[session].Until = DateTimeOffset.MinValue;
        }
    }

    /// <summary>True while nobody else has the session. One that nobody has claimed here may have been lost, or is named so that nobody else can know it.</summary>
    public bool IsCurrent(SessionClaim claim)
    {
        lock (_lock)
        {
            return !_records.ContainsKey(claim.Session) || Holds(claim);
        }
    }

    /// <summary>The default claim.</summary>
    public ClaimSessionResponse Claim(ClaimSessionRequest request)
    {
        lock (_lock)
        {
            _records.TryGetValue(request.Session, out var record);
            if (record is null || record.IsReleased || (record.Holder != request.Holder && !IsLive(record)))
            {
                _records[request.Session] = record = new Record(request.Holder, ++_epoch, request.Address, record?.AccountId, record?.Domain)
                {
                    KeyId = record?.KeyId,
                    TurnState = record?.TurnState,
                    ResponseId = record?.ResponseId,
                    IsStored = record?.IsStored == true,
                    Until = Until,
                };
            }
            else if (record.Holder == request.Holder)
            {
                record.Until = Until;
            }
            return new ClaimSessionResponse(record.Holder, record.Epoch, record.Address, record.AccountId, record.Domain);
        }
    }

    /// <summary>The default search: a claim whose time is over counts until another one is made.</summary>
    public FindSessionResponse Find(FindSessionRequest request)
    {
        lock (_lock)
        {
            return _records.TryGetValue(request.Session, out var record) ? new FindSessionResponse(record.IsReleased ? null : record.Address, true) : new FindSessionResponse(null, false);
        }
    }

    /// <summary>The default write.</summary>
    public int Write(WriteSessionRequest request)
    {
        lock (_lock)
        {
            Restore(request.Claim, request.Address);
            if (!Holds(request.Claim))
            {
                return 409;
            }
            var record = _records[request.Claim.Session];
            var isMoved = record.AccountId is not null && record.AccountId != request.AccountId;
            (record.KeyId, record.AccountId, record.Domain) = (request.KeyId, request.AccountId, request.Domain);
            record.TurnState = request.TurnState ?? (isMoved ? null : record.TurnState);
            record.IsStored = request.ResponseId is null ? record.IsStored && !isMoved : request.Stored;
            record.ResponseId = request.ResponseId ?? (isMoved ? null : record.ResponseId);
            return 204;
        }
    }

    /// <summary>The default renewal.</summary>
    public RenewSessionsResponse Renew(RenewSessionsRequest request)
    {
        lock (_lock)
        {
            var lost = new List<string>();
            foreach (var renewed in request.Sessions)
            {
                var claim = renewed.Claim;
                Restore(claim, renewed.Address);
                if (Holds(claim))
                {
                    _records[claim.Session].Until = Until;
                }
                else
                {
                    lost.Add(claim.Session);
                }
            }
            return new RenewSessionsResponse(lost);
        }
    }

    /// <summary>The default release.</summary>
    public int Release(ReleaseSessionsRequest request)
    {
        lock (_lock)
        {
            foreach (var claim in request.Claims.Where(Holds))
            {
                (_records[claim.Session].Until, _records[claim.Session].IsReleased) = (DateTimeOffset.MinValue, true);
            }
            return 204;
        }
    }

    /// <summary>What the session's record knows of an id, where its alias is lost.</summary>
    public OwnerRecord? OwnerOf(string session, string keyId, OwnedId id)
    {
        lock (_lock)
        {
            return _records.TryGetValue(session, out var record) && record is { AccountId: { } account, Domain: { } domain } && record.KeyId == keyId
                && (id.Kind == OwnedKinds.TurnState ? record.TurnState : record.ResponseId) == id.Id
                ? new OwnerRecord(keyId, account, domain, null, id.Kind == OwnedKinds.TurnState || record.IsStored, null, session)
                : null;
        }
    }

    private static DateTimeOffset Until => TimeProvider.System.GetUtcNow().AddSeconds(SessionClaim.LeaseSeconds);

    private static bool IsLive(Record record) => record.Until > TimeProvider.System.GetUtcNow();

    // A record that is gone, or was not there yet, is written anew.
    private void Restore(SessionClaim claim, string address)
    {
        if (!_records.ContainsKey(claim.Session))
        {
            _records[claim.Session] = new Record(claim.Holder, claim.Epoch, address, null, null) { Until = Until };
        }
    }

    private bool Holds(SessionClaim claim) =>
        _records.TryGetValue(claim.Session, out var record) && !record.IsReleased && record.Holder == claim.Holder && record.Epoch == claim.Epoch;

    private sealed class Record(string holder, long epoch, string address, string? accountId, string? domain)
    {
        public string Holder => holder;

        public long Epoch => epoch;

        public string Address => address;

        public string? AccountId { get; set; } = accountId;

        public string? Domain { get; set; } = domain;

        public string? KeyId { get; set; }

        public string? TurnState { get; set; }

        public string? ResponseId { get; set; }

        public bool IsStored { get; set; }

        public bool IsReleased { get; set; }

        public DateTimeOffset Until { get; set; }
    }
}

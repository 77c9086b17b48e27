using System.Buffers;
using System.Globalization;
using Proxy.Continuity.Contracts;
using Proxy.Continuity.Storage;
using ServiceDefaults.Data;
using StackExchange.Redis;

namespace Proxy.Continuity.Sessions;

/// <summary>
/// What is known of a session: who holds it, and what it has come to. One hash in Redis, changed by scripts only, each of which compares holder and epoch for
/// equality. It outlives its claim by a day, for the account it was on.
/// </summary>
internal sealed class SessionRecords(IConnectionMultiplexer redis)
{
    internal static readonly TimeSpan Lifetime = TimeSpan.FromDays(1);
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("0123456789abcdef~");
    private static readonly RedisValue[] OwnerFields = ["key", "account", "domain", "turn_state", "response", "stored"];

    private readonly string _claim = Script("claim.lua");
    private readonly string _find = Script("find.lua");
    private readonly string _write = Script("write.lua");
    private readonly string _renew = Script("renew.lua");
    private readonly string _release = Script("release.lua");

    /// <summary>True for a name as edges make them.</summary>
    public static bool IsName(string name) => name.Length is > 0 and <= SessionClaim.MaxNameLength && !name.AsSpan().ContainsAnyExcept(NameCharacters);

    /// <summary>Claims a session; the answer names its holder, whoever that is.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<ClaimSessionResponse> ClaimAsync(ClaimSessionRequest request)
    {
        var answer = (RedisValue[])(await RunAsync(_claim, request.Session, request.Holder, request.Address, LeaseMs, LifetimeMs))!;
        return new ClaimSessionResponse(answer[0]!, (long)answer[1], answer[2]!, TextOf(answer[3]), TextOf(answer[4]));
    }

    /// <summary>Where the session's holder is.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<FindSessionResponse> FindAsync(string session)
    {
        var address = (RedisValue)await RunAsync(_find, session);
        return new FindSessionResponse(TextOf(address), !address.IsNull);
    }

    /// <summary>Writes what a session has come to; false if its claim has been superseded.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public Task<bool> WriteAsync(WriteSessionRequest request)
    {
        List<RedisValue> fields = ["key", request.KeyId, "domain", request.Domain];
        if (request.TurnState is { } turnState)
        {
            fields.AddRange(["turn_state", turnState]);
        }
        if (request.ResponseId is { } response)
        {
            fields.AddRange(["response", response, "stored", request.Stored ? 1 : 0]);
        }
        return RunAsync(_write, request.Claim, [request.Address, LeaseMs, LifetimeMs, request.AccountId, .. fields]);
    }

    /// <summary>Renews a claim; false if it has been superseded.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public Task<bool> RenewAsync(RenewedSession session)
    {
        List<RedisValue> fields = ["key", session.KeyId];
        if (session is { AccountId: { } account, Domain: { } domain })
        {
            fields.AddRange(["account", account, "domain", domain]);
        }
        return RunAsync(_renew, session.Claim, [session.Address, LeaseMs, LifetimeMs, .. fields]);
    }

    /// <summary>True unless the claim has been superseded; a record that is gone says nothing against it.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<bool> IsHeldAsync(SessionClaim claim)
    {
        var record = await redis.GetDatabase().HashGetAsync(KeyNames.Session(claim.Session), ["holder", "epoch"]);
        return record[0].IsNull || (record[0] == claim.Holder && record[1] == EpochOf(claim));
    }

    /// <summary>Gives a claim up, unless it has been superseded.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public Task ReleaseAsync(SessionClaim claim) => RunAsync(_release, claim, [LifetimeMs]);

    /// <summary>Who owns what the session knows to be its latest, by the ids asked: for aliases that are lost.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<OwnerRecord?[]> OwnersOfAsync(string session, IReadOnlyList<OwnedId> ids, string? sessionId)
    {
        var record = await redis.GetDatabase().HashGetAsync(KeyNames.Session(session), OwnerFields);
        var (key, account, domain) = ((string?)record[0], (string?)record[1], (string?)record[2]);
        return [.. ids.Select(id => key is null || account is null || domain is null ? null : id.Kind switch
        {
            OwnedKinds.TurnState when record[3] == id.Id => new OwnerRecord(key, account, domain, sessionId, Stored: true, null, session),
            OwnedKinds.Response when record[4] == id.Id => new OwnerRecord(key, account, domain, sessionId, Stored: record[5] == 1, null, session),
            _ => null,
        })];
    }

    // False if the claim has been superseded.
    private async Task<bool> RunAsync(string script, SessionClaim claim, IEnumerable<RedisValue> arguments) =>
        (int)await RunAsync(script, claim.Session, [claim.Holder, EpochOf(claim), .. arguments]) == 1;

    private Task<RedisResult> RunAsync(string script, string session, params RedisValue[] arguments) =>
        redis.GetDatabase().ScriptEvaluateAsync(script, [KeyNames.Session(session)], arguments);

    private static RedisValue LeaseMs => SessionClaim.LeaseSeconds * 1000L;

    private static RedisValue LifetimeMs => (long)Lifetime.TotalMilliseconds;

    private static RedisValue EpochOf(SessionClaim claim) => claim.Epoch.ToString(CultureInfo.InvariantCulture);

    private static string? TextOf(RedisValue value) => value.IsNullOrEmpty ? null : (string?)value;

    private static string Script(string name) => EmbeddedText.Read(typeof(SessionRecords).Assembly, name);
}

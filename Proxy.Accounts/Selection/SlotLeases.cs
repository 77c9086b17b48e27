using Microsoft.Extensions.Options;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using ServiceDefaults.Data;
using StackExchange.Redis;

namespace Proxy.Accounts.Selection;

/// <summary>How an attempt to lease a slot ended.</summary>
internal enum LeaseOutcome
{
    /// <summary>The turn holds a slot of the account at the given index.</summary>
    Granted,

    /// <summary>Accounts or keys have changed since the candidates were chosen.</summary>
    Stale,

    /// <summary>Redis has lost its slots and waits for the edges to announce theirs.</summary>
    Recovering,

    /// <summary>Every candidate is at its cap.</summary>
    Full,
}

/// <summary>How an API key stands in line for slots, which are shared by key.</summary>
/// <param name="WaitMs">For how long others know that it waits, if there is no slot; 0 if the turn does not wait.</param>
/// <param name="MoreWait">True if more turns of the key wait here.</param>
internal sealed record WaitingKey(string KeyId, int WaitMs = 0, bool MoreWait = false);

/// <summary>Leases on accounts' slots, in Redis.</summary>
internal sealed class SlotLeases(IConnectionMultiplexer redis, IOptions<AccountsOptions> options)
{
    // What admit.lua is told before it is told of the candidates.
    private const int Fixed = 9;

    private readonly string _admit = Script("admit.lua");
    private readonly string _renew = Script("renew.lua");
    private readonly string _release = Script("release.lua");
    private readonly string _expired = Script("expired.lua");

    private long LeaseMs => options.Value.LeaseSeconds * 1000L;

    /// <summary>Begins counting in an empty Redis, so that the recovery window has passed before the first turn comes.</summary>
    public Task OpenAsync() => RunAsync(_renew, [SlotKeys.Generation, SlotKeys.Leases], [LeaseMs, (long)SlotKeys.RecoveryWindow.TotalMilliseconds]);

    /// <summary>
    /// Leases a slot on the best candidate; the index is that of the candidate. A slot that the turn holds elsewhere is given up in the
    /// same step: no turn ever holds two, and one that gets none keeps what it has.
    /// </summary>
    /// <param name="waitingKey">How the turn's key stands beside others: it gets no slot that another one waits for which was served before it.</param>
    /// <param name="onlyIfHeld">Only a slot that the turn has already.</param>
    /// <param name="movesFrom">The account whose slot the turn holds; where another one is remembered, that one counts.</param>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<(LeaseOutcome Outcome, int Index)> LeaseAsync(
        Guid turnId, Candidates candidates, string version, string reservation, WaitingKey waitingKey, bool onlyIfHeld = false, string? movesFrom = null)
    {
        var accounts = candidates.Accounts;
        List<RedisKey> keys =
        [
            PoolVersion.Key, SlotKeys.Generation, SlotKeys.Leases, SlotKeys.Reservations, SlotKeys.Served,
            .. accounts.Select(account => SlotKeys.Slots(account.Key)), .. accounts.Select(account => SlotKeys.Waiting(account.Key)),
        ];
        if (movesFrom is not null && accounts.All(account => account.Key != movesFrom))
        {
            keys.Add(SlotKeys.Slots(movesFrom));
        }
        var values = new RedisValue[Fixed + (3 * accounts.Count)];
        (values[0], values[1], values[2], values[3]) = (turnId.ToString("N"), LeaseMs, version, (long)SlotKeys.RecoveryWindow.TotalMilliseconds);
        (values[4], values[5]) = (reservation, candidates.PreferredIndex + 1);
        (values[6], values[7], values[8]) = (waitingKey.KeyId, waitingKey.WaitMs, waitingKey.MoreWait ? 1 : 0);
        for (var index = 0; index < accounts.Count; index++)
        {
            var account = accounts[index];
            (values[Fixed + (3 * index)], values[Fixed + 1 + (3 * index)], values[Fixed + 2 + (3 * index)]) = (onlyIfHeld ? 0 : account.MaxConcurrentTurns, account.Weight, account.Priority);
        }
        var answer = (RedisResult[])(await RunAsync(_admit, [.. keys], values))!;
        return (string?)answer[0] switch
        {
            "granted" => (LeaseOutcome.Granted, (int)answer[1] - 1),
            "stale" => (LeaseOutcome.Stale, -1),
            "recovering" => (LeaseOutcome.Recovering, -1),
            // An earlier answer was lost, and the account it named is no candidate any more.
            "elsewhere" => await LeaseAsync(turnId, candidates, version, reservation, waitingKey, onlyIfHeld, SlotKeys.AccountOf((string)answer[1]!)),
            _ => (LeaseOutcome.Full, -1),
        };
    }

    /// <summary>Renews; returns the turns whose leases had ended.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<IReadOnlyList<Guid>> RenewAsync(IReadOnlyList<SlotLease> leases)
    {
        RedisKey[] keys = [SlotKeys.Generation, SlotKeys.Leases, .. leases.Select(lease => SlotKeys.Slots(lease.AccountId))];
        RedisValue[] values = [LeaseMs, (long)SlotKeys.RecoveryWindow.TotalMilliseconds, .. leases.Select(lease => (RedisValue)lease.TurnId.ToString("N"))];
        var lost = (RedisResult[])(await RunAsync(_renew, keys, values))!;
        return [.. lost.Select(turn => Guid.ParseExact((string)turn!, "N"))];
    }

    /// <summary>Frees slots, those of turns that have moved meanwhile where they are now; returns the accounts that have room again.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<IReadOnlyList<string>> ReleaseAsync(IEnumerable<SlotLease> leases)
    {
        var freed = new List<string>();
        for (var left = leases.ToArray(); left.Length > 0;)
        {
            freed.AddRange(left.Select(lease => lease.AccountId));
            var moved = (RedisResult[])(await RunAsync(_release,
                [SlotKeys.Leases, SlotKeys.Reservations, .. left.Select(lease => SlotKeys.Slots(lease.AccountId))],
                [.. left.Select(lease => (RedisValue)lease.TurnId.ToString("N"))]))!;
            left = [.. moved.Chunk(2).Select(pair => new SlotLease(Guid.ParseExact((string)pair[0]!, "N"), SlotKeys.AccountOf((string)pair[1]!)))];
        }
        return freed;
    }

    /// <summary>The slot a turn holds, or null.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<SlotLease?> FindAsync(Guid turnId) =>
        (string?)await redis.GetDatabase().HashGetAsync(SlotKeys.Reservations, turnId.ToString("N")) is { } kept && Split(kept).AccountId is { } accountId
            ? new SlotLease(turnId, accountId)
            : null;

    /// <summary>Turns whose lease ended at least <paramref name="ago"/>: (turn, account, reservation), at most <paramref name="most"/>.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<IReadOnlyList<(Guid TurnId, string? AccountId, string Reservation)>> FindExpiredAsync(TimeSpan ago, int most)
    {
        var answer = (RedisResult[])(await RunAsync(_expired, [SlotKeys.Leases, SlotKeys.Reservations], [(long)ago.TotalMilliseconds, most]))!;
        var found = new List<(Guid, string?, string)>(answer.Length / 2);
        for (var index = 0; index + 1 < answer.Length; index += 2)
        {
            var (accountId, reservation) = Split((string)answer[index + 1]!);
            found.Add((Guid.ParseExact((string)answer[index]!, "N"), accountId, reservation));
        }
        return found;
    }

    /// <summary>Forgets a lease whose account is not known any more.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public Task ForgetAsync(Guid turnId) => redis.GetDatabase().SortedSetRemoveAsync(SlotKeys.Leases, turnId.ToString("N"));

    // accounts:{pool}:slots:<account>|{"KeyId":...}   as admit.lua keeps it; empty where Redis has lost it
    private static (string? AccountId, string Reservation) Split(string kept)
    {
        var bar = kept.IndexOf('|', StringComparison.Ordinal);
        return (bar < 0 ? null : SlotKeys.AccountOf(kept[..bar]), kept[(bar + 1)..]);
    }

    private Task<RedisResult> RunAsync(string script, RedisKey[] keys, RedisValue[] values) =>
        redis.GetDatabase().ScriptEvaluateAsync(script, keys, values);

    private static string Script(string file) => EmbeddedText.Read(typeof(SlotLeases).Assembly, file);
}

using System.Text.Json;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using ServiceDefaults.Data;
using StackExchange.Redis;

namespace Proxy.Accounts.Selection;

/// <summary>Leases of slots for turns that are still to come, in Redis, beside those of <see cref="SlotLeases"/>: renewed, released and found like them.</summary>
internal sealed class PrefetchLeases(IConnectionMultiplexer redis, IOptions<AccountsOptions> options)
{
    private readonly string _lease = EmbeddedText.Read(typeof(PrefetchLeases).Assembly, "prefetch.lua");
    private readonly string _begin = EmbeddedText.Read(typeof(PrefetchLeases).Assembly, "mark-started.lua");

    /// <summary>Leases slots for the first of the turns, as far as there is room to spare; the outcome is never <see cref="LeaseOutcome.Full"/>.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<(LeaseOutcome Outcome, IReadOnlyList<SlotLease> Leases)> LeaseAsync(IReadOnlyList<Guid> turns, string keyId, IReadOnlyList<Account> accounts, string version)
    {
        RedisKey[] keys =
        [
            PoolVersion.Key, SlotKeys.Generation, SlotKeys.Leases, SlotKeys.Reservations, SlotKeys.Served,
            .. accounts.Select(account => SlotKeys.Slots(account.Key)), .. accounts.Select(account => SlotKeys.Waiting(account.Key)),
        ];
        RedisValue[] values =
        [
            options.Value.LeaseSeconds * 1000L, version, (long)SlotKeys.RecoveryWindow.TotalMilliseconds, keyId, turns.Count,
            .. turns.Select(turn => (RedisValue)turn.ToString("N")),
            .. accounts.SelectMany(account => (RedisValue[])[account.MaxConcurrentTurns, account.Weight, account.Priority]),
        ];
        var answer = (RedisResult[])(await redis.GetDatabase().ScriptEvaluateAsync(_lease, keys, values))!;
        return (string?)answer[0] switch
        {
            "granted" => (LeaseOutcome.Granted, [.. answer.Skip(1).Select((index, turn) => new SlotLease(turns[turn], accounts[(int)index - 1].Key))]),
            "stale" => (LeaseOutcome.Stale, []),
            _ => (LeaseOutcome.Recovering, []),
        };
    }

    /// <summary>Keeps what the turns are booked as, should they be lost; returns those of the accounts for which somebody waits.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<IReadOnlyList<string>> MarkStartedAsync(IReadOnlyList<StartedTurn> started, IReadOnlyList<string> accounts)
    {
        RedisKey[] keys = [SlotKeys.Reservations, .. started.Select(turn => SlotKeys.Slots(turn.AccountId)), .. accounts.Select(SlotKeys.Waiting)];
        RedisValue[] values =
        [
            started.Count,
            .. started.SelectMany(turn => (RedisValue[])[turn.TurnId.ToString("N"), JsonSerializer.Serialize(new Reservation(turn.KeyId, turn.Model), ReservationJson.Default.Reservation)]),
        ];
        var wanted = (RedisResult[])(await redis.GetDatabase().ScriptEvaluateAsync(_begin, keys, values))!;
        return [.. accounts.Where((_, index) => (string?)wanted[index] == "1")];
    }
}

using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Selection;
using StackExchange.Redis;
using Testing.Stores;

namespace Proxy.Accounts.Tests;

/// <summary>Turns that are sent once more, elsewhere: the scripts, on every server that there is.</summary>
public sealed class SlotMovesTests : SlotsTest
{
    private readonly Account _a = Some.Account("a") with { MaxConcurrentTurns = 1 };
    private readonly Account _b = Some.Account("b") with { MaxConcurrentTurns = 1 };
    private readonly Account _c = Some.Account("c") with { MaxConcurrentTurns = 1 };
    private readonly Guid _turn = Guid.CreateVersion7();

    [Theory, OnGarnet, OnRedis]
    public async Task A_turn_that_moves_leaves_its_former_account_free_and_takes_its_reservation_along(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        await LeaseAsync(slots, _turn, [_a]);

        Assert.Equal("b", await LeaseAsync(slots, _turn, [_b], from: _a));

        Assert.Equal("b", await HeldAsync());
        Assert.Equal(new SlotLease(_turn, _b.Key), await slots.FindAsync(_turn));
        Assert.Equal("a", await LeaseAsync(slots, Guid.CreateVersion7(), [_a]));
        Assert.Equal("Full", await LeaseAsync(slots, Guid.CreateVersion7(), [_b]));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task A_turn_that_finds_no_room_elsewhere_keeps_what_it_has(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        await LeaseAsync(slots, _turn, [_a]);
        await LeaseAsync(slots, Guid.CreateVersion7(), [_b]);

        Assert.Equal("Full", await LeaseAsync(slots, _turn, [_b], from: _a));
        Assert.Equal("Stale", await LeaseAsync(slots, _turn, [_c], from: _a, version: "another"));
        Assert.Equal("Full", await LeaseAsync(slots, _turn, [_c], from: _a, onlyIfHeld: true));

        Assert.Equal("a", await HeldAsync());
        Assert.Equal("Full", await LeaseAsync(slots, Guid.CreateVersion7(), [_a]));
        Assert.Empty(await slots.RenewAsync([new SlotLease(_turn, _a.Key)]));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task A_turn_whose_account_still_is_a_candidate_keeps_its_slot(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        await LeaseAsync(slots, _turn, [_a]);

        Assert.Equal("a", await LeaseAsync(slots, _turn, [_b, _a, _c], from: _a));
        Assert.Equal("a", await LeaseAsync(slots, _turn, [_b, _a], from: _a, onlyIfHeld: true));

        Assert.Equal("a", await HeldAsync());
    }

    [Theory, OnGarnet, OnRedis]
    public async Task A_move_that_is_asked_for_again_returns_the_slot_moved_to(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        await LeaseAsync(slots, _turn, [_a]);
        var moved = await LeaseAsync(slots, _turn, [_b, _c], from: _a);

        Assert.Equal(moved, await LeaseAsync(slots, _turn, [_c, _b], from: _a));
        // Others wait for that account meanwhile: what the turn has it need not wait for.
        Assert.Equal(moved, await LeaseAsync(slots, _turn, [_c, _b], from: _a, onlyIfHeld: true));

        Assert.Equal(moved, await HeldAsync());
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Where_the_account_moved_to_is_no_candidate_any_more_the_turn_moves_on_from_there(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        await LeaseAsync(slots, _turn, [_a]);
        await LeaseAsync(slots, _turn, [_b], from: _a);

        Assert.Equal("c", await LeaseAsync(slots, _turn, [_c], from: _a));
        Assert.Equal("c", await HeldAsync());

        // Also a turn that does not know that it holds anything: the answer to its first admission was lost.
        Assert.Equal("a", await LeaseAsync(slots, _turn, [_a]));
        Assert.Equal("a", await HeldAsync());
    }

    [Theory, OnGarnet, OnRedis]
    public async Task A_slot_that_was_announced_to_an_emptied_redis_moves_too(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        await LeaseAsync(slots, _turn, [_a]);
        await Redis.EmptyAsync();
        await slots.RenewAsync([new SlotLease(_turn, _a.Key)]);
        Assert.Equal("Recovering", await LeaseAsync(slots, _turn, [_b], from: _a));
        await EndRecoveryAsync();

        Assert.Equal("b", await LeaseAsync(slots, _turn, [_b], from: _a));

        Assert.Equal("b", await HeldAsync());
    }

    [Theory, OnGarnet, OnRedis]
    public async Task A_renewal_that_crosses_a_move_neither_loses_the_turn_nor_brings_its_former_slot_back(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        await LeaseAsync(slots, _turn, [_a]);
        await LeaseAsync(slots, _turn, [_b], from: _a);

        Assert.Empty(await slots.RenewAsync([new SlotLease(_turn, _a.Key)]));
        Assert.Equal("b", await HeldAsync());

        await EndAsync(_turn, _b.Key);
        Assert.Equal([_turn], await slots.RenewAsync([new SlotLease(_turn, _a.Key)]));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task A_turn_is_freed_where_it_is_whatever_account_it_is_freed_from(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        var other = Guid.CreateVersion7();
        await LeaseAsync(slots, _turn, [_a]);
        await LeaseAsync(slots, _turn, [_b], from: _a);
        await LeaseAsync(slots, other, [_a]);

        var freed = await slots.ReleaseAsync([new SlotLease(_turn, _a.Key), new SlotLease(other, _a.Key)]);

        Assert.Contains(_b.Key, freed);
        Assert.Equal("", await HeldAsync());
        Assert.Empty(await Redis.Database.HashKeysAsync(Prefix + "reservations"));
        Assert.Equal("a b", string.Join(' ', await LeaseAsync(slots, Guid.CreateVersion7(), [_a]), await LeaseAsync(slots, Guid.CreateVersion7(), [_b])));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task While_many_move_at_once_no_cap_is_exceeded_no_turn_holds_two_and_no_slot_is_left(RedisKind kind)
    {
        await OpenAsync(kind);
        Account[] accounts = [_a with { MaxConcurrentTurns = 24 }, _b with { MaxConcurrentTurns = 16 }, _c with { MaxConcurrentTurns = 8 }];
        var replicas = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => ConnectAsync()));
        int left = 3000, moved = 0, wrong = 0, running = 64;

        var workers = Enumerable.Range(0, 64).Select(async worker =>
        {
            var slots = replicas[worker % replicas.Length];
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var turn = Guid.CreateVersion7();
                var first = await LeaseAsync(slots, turn, accounts);
                if (accounts.FirstOrDefault(account => account.Name == first) is not { } former)
                {
                    continue;
                }
                Account[] others = [.. accounts.Where(account => account != former)];
                // Twice at once, as one that was asked for again while the first was still under way.
                var answers = await Task.WhenAll(LeaseAsync(slots, turn, others, from: former), LeaseAsync(replicas[(worker + 1) % replicas.Length], turn, others, from: former));
                var now = accounts.FirstOrDefault(account => answers.Contains(account.Name));
                Interlocked.Add(ref moved, now is null ? 0 : 1);
                Interlocked.Add(ref wrong, answers.Count(answer => answer != "Full" && answer != now!.Name));
                await slots.ReleaseAsync([new SlotLease(turn, (now ?? former).Key)]);
            }
            Interlocked.Decrement(ref running);
        }).ToArray();
        while (Volatile.Read(ref running) > 0)
        {
            // One step, so that what it sees is what there was at one moment.
            var counts = (int[])(await Redis.Database.ScriptEvaluateAsync(
                "return {redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]), redis.call('ZCARD', KEYS[3]), redis.call('ZCARD', KEYS[4])}",
                [.. accounts.Select(account => (RedisKey)(Prefix + "slots:" + account.Key)), Prefix + "leases"]))!;
            Assert.All(accounts.Zip(counts), pair => Assert.InRange(pair.Second, 0, pair.First.MaxConcurrentTurns));
            Assert.Equal(counts[3], counts[..3].Sum());
        }
        await Task.WhenAll(workers);

        Assert.Equal(0, wrong);
        Assert.True(moved > 100, $"{moved} have moved.");
        foreach (var key in new[] { "leases", "slots:" + _a.Key, "slots:" + _b.Key, "slots:" + _c.Key })
        {
            Assert.Equal(0, await Redis.Database.SortedSetLengthAsync(Prefix + key));
        }
        Assert.Equal(0, await Redis.Database.HashLengthAsync(Prefix + "reservations"));
    }

    /// <summary>The names of the accounts on which the turn holds a slot.</summary>
    private async Task<string> HeldAsync()
    {
        var held = new List<string>();
        foreach (var account in new[] { _a, _b, _c })
        {
            held.AddRange((await Redis.Database.SortedSetRangeByRankAsync(Prefix + "slots:" + account.Key)).Where(turn => turn == _turn.ToString("N")).Select(_ => account.Name));
        }
        return string.Join(' ', held);
    }

    /// <summary>The account's name, or why there is none.</summary>
    private static async Task<string> LeaseAsync(
        SlotLeases slots, Guid turn, Account[] accounts, Account? from = null, bool onlyIfHeld = false, string version = "0")
    {
        var (outcome, index) = await slots.LeaseAsync(turn, new Candidates(accounts, -1), version, "{}", new WaitingKey("key"), onlyIfHeld, from?.Key);
        return outcome == LeaseOutcome.Granted ? accounts[index].Name : outcome.ToString();
    }
}

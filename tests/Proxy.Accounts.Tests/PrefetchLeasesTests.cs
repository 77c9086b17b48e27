using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Selection;
using Testing.Stores;

namespace Proxy.Accounts.Tests;

/// <summary>Slots for turns that are still to come: the scripts, on every server that there is.</summary>
public sealed class PrefetchLeasesTests : SlotsTest
{
    [Theory, OnGarnet, OnRedis]
    public async Task Half_of_an_account_stays_free(RedisKind kind)
    {
        var (slots, prefetch) = (await OpenAsync(kind), await OpenPrefetchAsync());
        Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = 8 }];
        Assert.Equal("a a a a", await LeaseAsync(prefetch, accounts, turns: 6));
        Assert.Equal("", await LeaseAsync(prefetch, accounts, turns: 1));

        // They are slots like all others.
        for (var turn = 0; turn < 4; turn++)
        {
            Assert.Equal(LeaseOutcome.Granted, await AdmitAsync(slots, accounts));
        }
        Assert.Equal(LeaseOutcome.Full, await AdmitAsync(slots, accounts));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task An_account_with_a_single_slot_has_none_to_spare(RedisKind kind)
    {
        await OpenAsync(kind);
        Assert.Equal("", await LeaseAsync(await OpenPrefetchAsync(), [Some.Account("a") with { MaxConcurrentTurns = 1 }], turns: 4));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Each_goes_to_the_account_with_the_least_load_for_its_weight(RedisKind kind)
    {
        await OpenAsync(kind);
        var leased = await LeaseAsync(await OpenPrefetchAsync(), [Some.Account("light") with { MaxConcurrentTurns = 100 }, Some.Account("heavy") with { Weight = 3, MaxConcurrentTurns = 100 }], turns: 40);
        Assert.Equal((10, 30), (leased.Split(' ').Count(account => account == "light"), leased.Split(' ').Count(account => account == "heavy")));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task None_is_leased_on_a_reserve_while_the_first_account_has_room_for_turns(RedisKind kind)
    {
        var (slots, prefetch) = (await OpenAsync(kind), await OpenPrefetchAsync());
        Account[] accounts = [Some.Account("reserve") with { Priority = 1 }, Some.Account("main") with { MaxConcurrentTurns = 4 }];
        Assert.Equal("main main", await LeaseAsync(prefetch, accounts, turns: 6));
        Assert.Equal(LeaseOutcome.Granted, await AdmitAsync(slots, [accounts[1]]));
        Assert.Equal("", await LeaseAsync(prefetch, accounts, turns: 6));
        Assert.Equal(LeaseOutcome.Granted, await AdmitAsync(slots, [accounts[1]]));
        Assert.Equal("reserve", await LeaseAsync(prefetch, accounts, turns: 1));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task None_is_leased_where_somebody_waits(RedisKind kind)
    {
        var (slots, prefetch) = (await OpenAsync(kind), await OpenPrefetchAsync());
        var account = Some.Account("a");
        Assert.Equal(LeaseOutcome.Full, await AdmitAsync(slots, [account with { MaxConcurrentTurns = 0 }], new WaitingKey("modest", WaitMs: 60_000)));

        Assert.Equal("", await LeaseAsync(prefetch, [account], turns: 2));
        Assert.Equal([account.Key], await prefetch.MarkStartedAsync([], [account.Key, Some.Account("b").Key]));

        await Redis.Database.SortedSetAddAsync(Prefix + "waiting:" + account.Key, "modest", 1);
        Assert.Equal("a a", await LeaseAsync(prefetch, [account], turns: 2));
        Assert.Empty(await prefetch.MarkStartedAsync([], [account.Key]));
    }

    // Otherwise its next turn would go before those of keys that have had less.
    [Theory, OnGarnet, OnRedis]
    public async Task A_key_counts_as_served(RedisKind kind)
    {
        var (slots, prefetch) = (await OpenAsync(kind), await OpenPrefetchAsync());
        var account = Some.Account("a");
        Account[] full = [account with { MaxConcurrentTurns = 0 }], open = [account];
        Assert.Equal(LeaseOutcome.Granted, await AdmitAsync(slots, open, new WaitingKey("modest")));
        // Not within the same millisecond.
        await Redis.Database.SortedSetDecrementAsync(Prefix + "served", "modest", 1000);
        Assert.Equal("a", await LeaseAsync(prefetch, open, turns: 1, key: "greedy"));
        Assert.Equal(LeaseOutcome.Full, await AdmitAsync(slots, full, new WaitingKey("modest", WaitMs: 60_000)));

        Assert.Equal(LeaseOutcome.Full, await AdmitAsync(slots, [account with { MaxConcurrentTurns = 3 }], new WaitingKey("greedy")));
        Assert.Equal(LeaseOutcome.Granted, await AdmitAsync(slots, [account with { MaxConcurrentTurns = 3 }], new WaitingKey("modest")));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Candidates_of_an_older_version_are_stale(RedisKind kind)
    {
        await OpenAsync(kind);
        await (await OpenVersionAsync()).MoveAsync();
        Assert.Equal("Stale", await LeaseAsync(await OpenPrefetchAsync(), [Some.Account("a")], turns: 1));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task After_redis_was_emptied_none_is_leased_until_edges_have_announced_theirs(RedisKind kind)
    {
        var (slots, prefetch) = (await OpenAsync(kind), await OpenPrefetchAsync());
        Account[] accounts = [Some.Account("a")];
        var turn = Guid.CreateVersion7();
        var lease = (await prefetch.LeaseAsync([turn], "key", accounts, "0")).Leases.Single();
        await Redis.EmptyAsync();

        Assert.Equal("Recovering", await LeaseAsync(prefetch, accounts, turns: 1));
        Assert.Empty(await slots.RenewAsync([lease]));
        Assert.Equal("Recovering", await LeaseAsync(prefetch, accounts, turns: 1));
        await EndRecoveryAsync();
        Assert.Equal("a a a", await LeaseAsync(prefetch, accounts, turns: 6));
    }

    // As when the answer was lost, or the turn is sent once more.
    [Theory, OnGarnet, OnRedis]
    public async Task A_turn_that_asks_for_itself_keeps_the_slot_that_was_leased_for_it(RedisKind kind)
    {
        var (slots, prefetch) = (await OpenAsync(kind), await OpenPrefetchAsync());
        Account[] accounts = [Some.Account("a"), Some.Account("b")];
        var turn = Guid.CreateVersion7();
        var lease = (await prefetch.LeaseAsync([turn], "key", [accounts[1]], "0")).Leases.Single();

        var (outcome, index) = await slots.LeaseAsync(turn, new Candidates(accounts, 0), "0", "{}", new WaitingKey("key"));
        Assert.Equal((LeaseOutcome.Granted, lease.AccountId), (outcome, accounts[index].Key));
        Assert.Equal(1, await Redis.Database.SortedSetLengthAsync(Prefix + "leases"));

        await slots.ReleaseAsync([lease]);
        Assert.Equal((0, 0, 0), (await Redis.Database.SortedSetLengthAsync(Prefix + "leases"), await Redis.Database.HashLengthAsync(Prefix + "reservations"), await Redis.Database.SortedSetLengthAsync(Prefix + "slots:" + lease.AccountId)));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Only_a_turn_that_has_begun_and_still_runs_there_is_remembered(RedisKind kind)
    {
        var (slots, prefetch) = (await OpenAsync(kind), await OpenPrefetchAsync());
        Account[] accounts = [Some.Account("a")];
        Guid[] turns = [Guid.CreateVersion7(), Guid.CreateVersion7(), Guid.CreateVersion7()];
        var leases = (await prefetch.LeaseAsync(turns, "key", accounts, "0")).Leases;
        await slots.ReleaseAsync([leases[1]]);

        Assert.Empty(await prefetch.MarkStartedAsync([.. leases.Take(2).Select(lease => new StartedTurn(lease.TurnId, lease.AccountId, "key", "m"))], []));
        foreach (var lease in leases)
        {
            await EndAsync(lease.TurnId, lease.AccountId);
        }

        Assert.Equal(
            new (Guid, string?, string)[] { (turns[0], accounts[0].Key, """{"KeyId":"key","Model":"m"}"""), (turns[1], null, ""), (turns[2], accounts[0].Key, "") }.ToHashSet(),
            (await slots.FindExpiredAsync(TimeSpan.Zero, 10)).ToHashSet());
    }

    [Theory, OnGarnet, OnRedis]
    public async Task With_turns_that_ask_for_themselves_the_cap_is_never_exceeded(RedisKind kind)
    {
        const int Cap = 6;
        await OpenAsync(kind);
        Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = Cap }];
        var most = 0L;
        await Task.WhenAll(Enumerable.Range(0, 16).Select(async worker =>
        {
            var (slots, prefetch) = (await ConnectAsync(), await OpenPrefetchAsync());
            for (var round = 0; round < 50; round++)
            {
                var turn = Guid.CreateVersion7();
                var leases = worker % 2 == 0
                    ? (await prefetch.LeaseAsync([turn, Guid.CreateVersion7()], "key", accounts, "0")).Leases
                    : (await slots.LeaseAsync(turn, new Candidates(accounts, -1), "0", "{}", new WaitingKey("key"))).Outcome == LeaseOutcome.Granted ? [new SlotLease(turn, accounts[0].Key)] : [];
                InterlockedMax(ref most, await Redis.Database.SortedSetLengthAsync(Prefix + "slots:" + accounts[0].Key));
                await slots.ReleaseAsync(leases);
            }
        }));
        Assert.InRange(most, 1, Cap);
        Assert.Equal(0, await Redis.Database.SortedSetLengthAsync(Prefix + "leases"));
    }

    private static void InterlockedMax(ref long most, long now)
    {
        for (var known = Volatile.Read(ref most); now > known;)
        {
            var before = Interlocked.CompareExchange(ref most, now, known);
            if (before == known)
            {
                return;
            }
            known = before;
        }
    }

    private static async Task<LeaseOutcome> AdmitAsync(SlotLeases slots, Account[] accounts, WaitingKey? line = null) =>
        (await slots.LeaseAsync(Guid.CreateVersion7(), new Candidates(accounts, -1), "0", "{}", line ?? new WaitingKey("key"))).Outcome;

    // The accounts' names, or why there are none.
    private static async Task<string> LeaseAsync(PrefetchLeases prefetch, Account[] accounts, int turns, string key = "key")
    {
        var (outcome, leases) = await prefetch.LeaseAsync([.. Enumerable.Range(0, turns).Select(_ => Guid.CreateVersion7())], key, accounts, "0");
        return outcome == LeaseOutcome.Granted ? string.Join(' ', leases.Select(lease => accounts.Single(account => account.Key == lease.AccountId).Name)) : outcome.ToString();
    }
}

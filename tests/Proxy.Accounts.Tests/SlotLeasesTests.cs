using System.Collections.Concurrent;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Selection;
using StackExchange.Redis;
using Testing;
using Testing.Stores;

namespace Proxy.Accounts.Tests;

/// <summary>The scripts, on every server that there is.</summary>
public sealed class SlotLeasesTests : SlotsTest
{
    [Theory, OnGarnet, OnRedis]
    public async Task A_turn_goes_to_the_account_with_the_least_load_for_its_weight(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        var (light, heavy) = (Some.Account("light") with { MaxConcurrentTurns = 100 }, Some.Account("heavy") with { Weight = 3, MaxConcurrentTurns = 100 });

        var picks = new List<string>();
        for (var turn = 0; turn < 40; turn++)
        {
            picks.Add(await LeaseAsync(slots, [light, heavy]));
        }

        Assert.Equal((10, 30), (picks.Count(pick => pick == "light"), picks.Count(pick => pick == "heavy")));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task A_lower_priority_is_used_before_a_higher_and_the_next_only_when_it_is_full(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("reserve") with { Priority = 1, MaxConcurrentTurns = 1 }, Some.Account("main") with { MaxConcurrentTurns = 2 }];

        Assert.Equal("main main reserve Full", string.Join(' ', await LeaseAsync(slots, accounts), await LeaseAsync(slots, accounts), await LeaseAsync(slots, accounts), await LeaseAsync(slots, accounts)));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task The_preferred_account_is_taken_whatever_its_load_while_it_has_room(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("first"), Some.Account("preferred") with { Priority = 9, MaxConcurrentTurns = 2 }, Some.Account("last")];

        Assert.Equal("preferred preferred", string.Join(' ', await LeaseAsync(slots, accounts, preferred: 1), await LeaseAsync(slots, accounts, preferred: 1)));
        Assert.NotEqual("preferred", await LeaseAsync(slots, accounts, preferred: 1));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Asking_again_for_a_turn_returns_the_slot_it_holds(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = 1 }, Some.Account("b") with { MaxConcurrentTurns = 1 }];
        var turn = Guid.CreateVersion7();
        var first = await LeaseAsync(slots, accounts, turn);

        Assert.Equal(first, await LeaseAsync(slots, accounts, turn));
        Assert.Equal(first, (await slots.LeaseAsync(turn, new Candidates(accounts, -1), "0", "{}", new WaitingKey("key"), onlyIfHeld: true)).Index == 0 ? "a" : "b");
        Assert.NotEqual("Full", await LeaseAsync(slots, accounts));
        Assert.Equal("Full", await LeaseAsync(slots, accounts));
        Assert.Equal(LeaseOutcome.Full, (await slots.LeaseAsync(Guid.CreateVersion7(), new Candidates([Some.Account("c")], -1), "0", "{}", new WaitingKey("key"), onlyIfHeld: true)).Outcome);
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Candidates_of_an_older_version_are_stale(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("a")];
        var pool = await OpenVersionAsync();
        Assert.Equal("a", await LeaseAsync(slots, accounts, version: await pool.ReadAsync()));

        await pool.MoveAsync();

        Assert.Equal("Stale", await LeaseAsync(slots, accounts, version: "0"));
        var version = await pool.ReadAsync();
        Assert.Equal("a", await LeaseAsync(slots, accounts, version: version));
        await pool.MoveAsync();
        Assert.NotEqual(version, await pool.ReadAsync());
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Under_64_concurrent_admissions_the_cap_is_never_exceeded_and_every_slot_comes_back(RedisKind kind)
    {
        const int Cap = 3;
        await OpenAsync(kind);
        Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = Cap }];
        var replicas = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => ConnectAsync()));
        int holding = 0, most = 0, granted = 0, left = 6000;

        await Task.WhenAll(Enumerable.Range(0, 64).Select(async worker =>
        {
            var slots = replicas[worker % replicas.Length];
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var turn = Guid.CreateVersion7();
                if (await LeaseAsync(slots, accounts, turn) != "a")
                {
                    continue;
                }
                var now = Interlocked.Increment(ref holding);
                InterlockedMax(ref most, now);
                Interlocked.Increment(ref granted);
                await Task.Yield();
                Interlocked.Decrement(ref holding);
                await slots.ReleaseAsync([new SlotLease(turn, accounts[0].Key)]);
            }
        }));

        Assert.Equal(Cap, most);
        Assert.True(granted > 100, $"{granted} were granted.");
        Assert.Equal(0, await Redis.Database.SortedSetLengthAsync(Prefix + "slots:" + accounts[0].Key));
        Assert.Equal(0, await Redis.Database.SortedSetLengthAsync(Prefix + "leases"));
        Assert.Equal(0, await Redis.Database.HashLengthAsync(Prefix + "reservations"));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task While_all_come_at_once_exactly_the_cap_is_granted(RedisKind kind)
    {
        await OpenAsync(kind);
        var replicas = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => ConnectAsync()));
        // Each round fills its accounts to the last slot, where two that count at once would both find it free.
        for (var round = 0; round < 10; round++)
        {
            Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = 50 }, Some.Account("b") with { MaxConcurrentTurns = 70 }];
            var answers = new ConcurrentBag<string>();

            await Task.WhenAll(Enumerable.Range(0, 400).Select(async turn => answers.Add(await LeaseAsync(replicas[turn % replicas.Length], accounts))));

            Assert.Equal((50, 70, 280), (answers.Count(answer => answer == "a"), answers.Count(answer => answer == "b"), answers.Count(answer => answer == "Full")));
        }
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Releasing_twice_changes_nothing(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = 2 }];
        var (turn, other) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await LeaseAsync(slots, accounts, turn);
        await LeaseAsync(slots, accounts, other);
        var lease = new SlotLease(turn, accounts[0].Key);

        await slots.ReleaseAsync([lease]);
        await slots.ReleaseAsync([lease, lease]);

        Assert.Equal("a Full", string.Join(' ', await LeaseAsync(slots, accounts), await LeaseAsync(slots, accounts)));
        Assert.Empty(await slots.RenewAsync([new SlotLease(other, accounts[0].Key)]));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task A_slot_whose_lease_has_ended_is_free_again(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = 1 }];
        var (late, next) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await LeaseAsync(slots, accounts, late);
        Assert.Equal("Full", await LeaseAsync(slots, accounts, next));
        await EndAsync(late, accounts[0].Key);

        Assert.Equal("a", await LeaseAsync(slots, accounts, next));

        Assert.Equal([late], await slots.RenewAsync([new SlotLease(next, accounts[0].Key), new SlotLease(late, accounts[0].Key)]));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task A_lease_past_its_end_is_renewed_while_nobody_else_has_its_slot(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = 1 }];
        var turn = Guid.CreateVersion7();
        await LeaseAsync(slots, accounts, turn);
        await EndAsync(turn, accounts[0].Key);

        Assert.Empty(await slots.RenewAsync([new SlotLease(turn, accounts[0].Key)]));

        Assert.Equal("Full", await LeaseAsync(slots, accounts));
        Assert.Empty(await slots.FindExpiredAsync(TimeSpan.Zero, 10));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task After_redis_was_emptied_nothing_is_granted_until_edges_have_announced_their_leases(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = 2 }];
        var held = new[] { new SlotLease(Guid.CreateVersion7(), accounts[0].Key), new SlotLease(Guid.CreateVersion7(), accounts[0].Key) };
        await LeaseAsync(slots, accounts, held[0].TurnId);
        await LeaseAsync(slots, accounts, held[1].TurnId);
        await Redis.EmptyAsync();

        Assert.Equal("Recovering", await LeaseAsync(slots, accounts));
        Assert.Empty(await slots.RenewAsync(held));
        Assert.Equal("Recovering", await LeaseAsync(slots, accounts));
        await EndRecoveryAsync();

        Assert.Equal("Full", await LeaseAsync(slots, accounts));
        Assert.Empty(await slots.RenewAsync(held));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task A_lease_that_is_announced_after_the_recovery_window_is_lost(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = 1 }];
        var turn = Guid.CreateVersion7();
        await LeaseAsync(slots, accounts, turn);
        await Redis.EmptyAsync();
        await slots.OpenAsync();
        Assert.Equal("Recovering", await LeaseAsync(slots, accounts));
        await EndRecoveryAsync();

        Assert.Equal([turn], await slots.RenewAsync([new SlotLease(turn, accounts[0].Key)]));
        Assert.Equal("a", await LeaseAsync(slots, accounts));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task The_recovery_window_ends_by_itself(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        await Redis.EmptyAsync();
        Account[] accounts = [Some.Account("a")];

        Assert.Equal("Recovering", await LeaseAsync(slots, accounts));
        await Eventually.TrueAsync(async () => await LeaseAsync(slots, accounts) == "a");
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Ended_leases_are_listed_with_what_they_were_for_until_they_are_settled(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        var account = Some.Account("a");
        var (ended, running, forgotten) = (Guid.CreateVersion7(), Guid.CreateVersion7(), Guid.CreateVersion7());
        await LeaseAsync(slots, [account], ended, reservation: "what | it was");
        await LeaseAsync(slots, [account], running);
        await LeaseAsync(slots, [account], forgotten);
        await EndAsync(ended, account.Key);
        await EndAsync(forgotten, account.Key);
        await Redis.Database.HashDeleteAsync(Prefix + "reservations", forgotten.ToString("N"));

        Assert.Empty(await slots.FindExpiredAsync(TimeSpan.FromMinutes(10), 10));
        Assert.Single(await slots.FindExpiredAsync(TimeSpan.Zero, 1));
        Assert.Equal(
            new (Guid, string?, string)[] { (ended, account.Key, "what | it was"), (forgotten, null, "") }.ToHashSet(),
            (await slots.FindExpiredAsync(TimeSpan.Zero, 10)).ToHashSet());

        await slots.ReleaseAsync([new SlotLease(ended, account.Key)]);
        await slots.ForgetAsync(forgotten);
        Assert.Empty(await slots.FindExpiredAsync(TimeSpan.Zero, 10));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Scripts_survive_a_server_that_has_forgotten_them(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("a")];
        await LeaseAsync(slots, accounts);
        await Redis.Database.ExecuteAsync("SCRIPT", "FLUSH");

        await Eventually.SucceedsAsync(() => LeaseAsync(slots, accounts));
    }

    /// <summary>The account's name, or why there is none.</summary>
    [Theory, OnGarnet, OnRedis]
    public async Task A_key_may_have_every_slot_that_nobody_else_waits_for(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = 3 }];
        var greedy = new WaitingKey("greedy", WaitMs: 60_000, MoreWait: true);
        Assert.Equal("a a a Full", string.Join(' ', await LeaseAsync(slots, accounts, line: greedy), await LeaseAsync(slots, accounts, line: greedy), await LeaseAsync(slots, accounts, line: greedy), await LeaseAsync(slots, accounts, line: greedy)));
    }

    // Each on a replica of its own, that is, with nothing in between but Redis.
    [Theory, OnGarnet, OnRedis]
    public async Task A_free_slot_is_left_to_the_waiting_key_that_was_served_before(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        Account[] accounts = [Some.Account("a") with { MaxConcurrentTurns = 2 }];
        var (greedy, modest) = (new WaitingKey("greedy", WaitMs: 60_000, MoreWait: true), new WaitingKey("modest", WaitMs: 60_000));
        var turns = Enumerable.Range(0, 2).Select(_ => Guid.CreateVersion7()).ToArray();
        foreach (var turn in turns)
        {
            await LeaseAsync(slots, accounts, turn, line: greedy);
        }
        Assert.Equal("Full", await LeaseAsync(slots, accounts, line: greedy));
        Assert.Equal("Full", await LeaseAsync(slots, accounts, line: modest));

        await slots.ReleaseAsync([new SlotLease(turns[0], accounts[0].Key)]);
        Assert.Equal("Full", await LeaseAsync(slots, accounts, line: greedy));
        Assert.Equal("a", await LeaseAsync(slots, accounts, line: modest));

        // Now it has been served later, and waits no more: the rest is the other's again.
        await slots.ReleaseAsync([new SlotLease(turns[1], accounts[0].Key)]);
        Assert.Equal("a", await LeaseAsync(slots, accounts, line: greedy));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Only_as_many_slots_are_left_free_as_keys_wait(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        var account = Some.Account("a");
        Account[] full = [account with { MaxConcurrentTurns = 0 }], open = [account with { MaxConcurrentTurns = 3 }];
        var greedy = new WaitingKey("greedy", WaitMs: 60_000, MoreWait: true);
        await LeaseAsync(slots, open, line: greedy);
        Assert.Equal("Full", await LeaseAsync(slots, full, line: new WaitingKey("modest", WaitMs: 60_000)));

        Assert.Equal("a Full", string.Join(' ', await LeaseAsync(slots, open, line: greedy), await LeaseAsync(slots, open, line: greedy)));
        // A turn that does not wait leaves nothing behind that others would have to leave room for.
        Assert.Equal("a", await LeaseAsync(slots, open, line: new WaitingKey("modest")));
    }

    [Theory, OnGarnet, OnRedis]
    public async Task Who_is_not_heard_of_any_more_does_not_wait(RedisKind kind)
    {
        var slots = await OpenAsync(kind);
        var account = Some.Account("a");
        Account[] full = [account with { MaxConcurrentTurns = 0 }], open = [account with { MaxConcurrentTurns = 2 }];
        await LeaseAsync(slots, open, line: new WaitingKey("greedy"));
        Assert.Equal("Full", await LeaseAsync(slots, full, line: new WaitingKey("modest", WaitMs: 60_000)));
        Assert.Equal("Full", await LeaseAsync(slots, open, line: new WaitingKey("greedy")));

        await Redis.Database.SortedSetAddAsync(Prefix + "waiting:" + account.Key, "modest", 1);

        Assert.Equal("a", await LeaseAsync(slots, open, line: new WaitingKey("greedy")));
    }

    private static async Task<string> LeaseAsync(
        SlotLeases slots, Account[] accounts, Guid? turn = null, int preferred = -1, string version = "0", string reservation = "{}", WaitingKey? line = null)
    {
        var (outcome, index) = await slots.LeaseAsync(turn ?? Guid.CreateVersion7(), new Candidates(accounts, preferred), version, reservation, line ?? new WaitingKey("key"));
        return outcome == LeaseOutcome.Granted ? accounts[index].Name : outcome.ToString();
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (var known = Volatile.Read(ref most); value > known; known = Volatile.Read(ref most))
        {
            if (Interlocked.CompareExchange(ref most, value, known) == known)
            {
                return;
            }
        }
    }
}

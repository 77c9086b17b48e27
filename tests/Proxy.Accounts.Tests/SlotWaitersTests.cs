using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Selection;
using Testing;

namespace Proxy.Accounts.Tests;

public sealed class SlotWaitersTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1);
    private readonly FakeTimeProvider _time = new();
    private readonly Account _a = Some.Account("a");
    private readonly Account _b = Some.Account("b");
    private SlotWaiters _waiters;

    public SlotWaitersTests() => _waiters = WithPlaces(1000);

    [Fact]
    public async Task Looking_again_costs_nobody_his_place()
    {
        using var first = Join("key", [_a]);
        using var second = Join("key", [_a]);
        var waiting = second.WaitAsync([_a], Long, default);
        for (var look = 0; look < 3; look++)
        {
            var looking = first.WaitAsync([_a], Long, default);
            await AdvanceUntilAsync(looking);
        }
        var again = first.WaitAsync([_a], Long, default);

        _waiters.Freed([_a.Key]);

        await again.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(waiting.IsCompleted);
        Assert.Equal(2, _waiters.Count);
    }

    [Fact]
    public async Task A_freed_slot_wakes_the_first_who_may_use_it()
    {
        using var first = Join("key", [_a]);
        using var second = Join("key", [_a, _b]);
        using var third = Join("key", [_b]);
        Task[] waits = [first.WaitAsync([_a], Long, default), second.WaitAsync([_a, _b], Long, default), third.WaitAsync([_b], Long, default)];

        _waiters.Freed([_b.Key, _b.Key]);

        await Task.WhenAll(waits[1], waits[2]).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(waits[0].IsCompleted);
    }

    [Fact]
    public async Task Who_leaves_wakes_the_next_so_that_no_slot_is_overlooked()
    {
        var first = Join("key", [_a]);
        using var second = Join("key", [_a]);
        var waiting = second.WaitAsync([_a], Long, default);
        // The slot was meant for the first one, whose client leaves just now.
        _waiters.Freed([_a.Key]);

        first.Dispose();

        await waiting.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_wait_ends_at_its_bound()
    {
        using var first = Join("key", [_a]);
        using var second = Join("key", [_a]);
        var waiting = second.WaitAsync([_a], TimeSpan.FromMilliseconds(250), default);

        _time.Advance(TimeSpan.FromMilliseconds(249));
        Assert.False(waiting.IsCompleted);
        await AdvanceUntilAsync(waiting);

        Assert.False(second.IsAwake);
    }

    [Fact]
    public void Newcomers_learn_whether_anyone_waits_for_what_they_want()
    {
        using (Join("key", [_a]))
        {
            Assert.True(_waiters.AnyoneWants("key", [_b, _a]));
            Assert.False(_waiters.AnyoneWants("key", [_b]));
        }
        Assert.False(_waiters.AnyoneWants("key", [_a]));
    }

    [Fact]
    public void Of_keys_that_wait_alike_each_is_woken_before_any_is_woken_twice()
    {
        SlotWaiters.Place[] all = [Join("one", [_a]), Join("one", [_a]), Join("other", [_a]), Join("other", [_a])];
        _waiters.Freed([_a.Key, _a.Key]);
        Assert.Equal(["one", "other"], all.Where(place => place.IsAwake).Select(place => place.Queue.KeyId).Order());
    }

    [Fact]
    public void Newcomers_of_another_key_need_not_stand_behind()
    {
        using (Join("greedy", [_a]))
        {
            Assert.False(_waiters.AnyoneWants("modest", [_a]));
        }
    }

    // Of a key with many turns that wait, one is served for each one of the others.
    [Fact]
    public async Task Freed_slots_go_to_the_keys_in_turn()
    {
        SlotWaiters.Place[] greedy = [Join("greedy", [_a]), Join("greedy", [_a]), Join("greedy", [_a])];
        var modest = Join("modest", [_a]);
        var other = Join("other", [_a]);
        var served = new List<string>();
        var waits = greedy.Select(place => (Name: "greedy", Place: place)).Append(("modest", modest)).Append(("other", other))
            .ToDictionary(wait => wait.Item2, wait => (wait.Item1, Task: wait.Item2.WaitAsync([_a], Long, default)));
        while (waits.Count > 0)
        {
            _waiters.Freed([_a.Key]);
            var woken = await Eventually.GetAsync(() => Task.FromResult(waits.FirstOrDefault(wait => wait.Value.Task.IsCompleted)), wait => wait.Key is not null);
            served.Add(woken.Value.Item1);
            waits.Remove(woken.Key);
            woken.Key.Dispose();
            // What leaving wakes beside is served next.
            if (waits.FirstOrDefault(wait => wait.Key.IsAwake) is { Key: { } next })
            {
                await waits[next].Task.WaitAsync(Long);
                served.Add(waits[next].Item1);
                waits.Remove(next);
                next.Dispose();
            }
        }
        Assert.Equal(["greedy", "modest", "other"], served.Take(3).Order());
        Assert.Equal(["greedy", "greedy"], served.Skip(3));
    }

    [Fact]
    public async Task A_key_may_have_all_places_until_another_needs_one()
    {
        _waiters = WithPlaces(3);
        using var first = Join("greedy", [_a]);
        using var second = Join("greedy", [_a]);
        using var third = Join("greedy", [_a]);
        Assert.Null(_waiters.TryJoin("greedy", [_a]));
        var waiting = third.WaitAsync([_a], Long, default);

        using var modest = Join("modest", [_b]);

        await waiting.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal((true, false, false, 3), (third.IsLost, second.IsLost, modest.IsLost, _waiters.Count));
        // One and two: to take one more from the other would only turn it round.
        Assert.Null(_waiters.TryJoin("modest", [_b]));
        Assert.Null(_waiters.TryJoin("greedy", [_a]));
        using var other = _waiters.TryJoin("other", [_a]);
        Assert.True(other is not null && second.IsLost);
        Assert.Null(_waiters.TryJoin("fourth", [_a]));
    }

    private SlotWaiters WithPlaces(int most) => new(Options.Create(new AccountsOptions { MaxWaitingTurns = most }), _time);

    private SlotWaiters.Place Join(string keyId, IReadOnlyList<Account> accounts) => _waiters.TryJoin(keyId, accounts)!;

    private Task AdvanceUntilAsync(Task task) => Eventually.TrueAsync(() =>
    {
        _time.Advance(TimeSpan.FromMilliseconds(100));
        return task.IsCompleted;
    });
}

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
    private readonly SlotWaiters _waiters;

    public SlotWaitersTests() => _waiters = new SlotWaiters(_time);

    [Fact]
    public async Task Looking_again_costs_nobody_his_place()
    {
        using var first = _waiters.Join([_a]);
        using var second = _waiters.Join([_a]);
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
        using var first = _waiters.Join([_a]);
        using var second = _waiters.Join([_a, _b]);
        using var third = _waiters.Join([_b]);
        Task[] waits = [first.WaitAsync([_a], Long, default), second.WaitAsync([_a, _b], Long, default), third.WaitAsync([_b], Long, default)];

        _waiters.Freed([_b.Key, _b.Key]);

        await Task.WhenAll(waits[1], waits[2]).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(waits[0].IsCompleted);
    }

    [Fact]
    public async Task Who_leaves_wakes_the_next_so_that_no_slot_is_overlooked()
    {
        var first = _waiters.Join([_a]);
        using var second = _waiters.Join([_a]);
        var waiting = second.WaitAsync([_a], Long, default);
        // The slot was meant for the first one, whose client leaves just now.
        _waiters.Freed([_a.Key]);

        first.Dispose();

        await waiting.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_wait_ends_at_its_bound()
    {
        using var first = _waiters.Join([_a]);
        using var second = _waiters.Join([_a]);
        var waiting = second.WaitAsync([_a], TimeSpan.FromMilliseconds(250), default);

        _time.Advance(TimeSpan.FromMilliseconds(249));
        Assert.False(waiting.IsCompleted);
        await AdvanceUntilAsync(waiting);

        Assert.False(second.IsAwake);
    }

    [Fact]
    public void Newcomers_learn_whether_anyone_waits_for_what_they_want()
    {
        using (_waiters.Join([_a]))
        {
            Assert.True(_waiters.AnyoneWants([_b, _a]));
            Assert.False(_waiters.AnyoneWants([_b]));
        }
        Assert.False(_waiters.AnyoneWants([_a]));
    }

    private Task AdvanceUntilAsync(Task task) => Eventually.TrueAsync(() =>
    {
        _time.Advance(TimeSpan.FromMilliseconds(100));
        return task.IsCompleted;
    });
}

using Microsoft.Extensions.Time.Testing;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Clients;

namespace Proxy.Edge.Tests.Clients;

/// <summary>How many slots are worth prefetching, and which one a turn may take.</summary>
public sealed class PrefetchedSlotPoolTests
{
    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(0, 0, 16, 0)]
    [InlineData(1, 0, 16, 0)]
    [InlineData(2, 0, 16, 2)]
    [InlineData(10, 0, 16, 10)]
    [InlineData(50, 0, 16, 16)]
    [InlineData(10, 5, 16, 5)]
    [InlineData(10, 6, 16, 0)]
    [InlineData(10, 0, 0, 0)]
    public void As_many_as_there_were_turns_lately_once_half_of_them_is_gone(int turns, int kept, int most, int missing)
    {
        var pool = PoolWith(kept);
        for (var turn = 0; turn < turns; turn++)
        {
            pool.CountTurn();
        }
        Assert.Equal(missing, pool.Missing(most));
    }

    [Fact]
    public void Turns_of_half_a_second_ago_do_not_count()
    {
        var pool = PoolWith(0);
        pool.CountTurn();
        _time.Advance(TimeSpan.FromMilliseconds(300));
        pool.CountTurn();
        Assert.Equal(2, pool.Missing(16));
        _time.Advance(TimeSpan.FromMilliseconds(600));
        pool.CountTurn();
        Assert.Equal(0, pool.Missing(16));
    }

    [Fact]
    public void While_it_asks_or_rests_it_asks_for_no_more()
    {
        var pool = PoolWith(0);
        pool.CountTurn();
        pool.CountTurn();
        pool.IsAsking = true;
        Assert.Equal(0, pool.Missing(16));
        pool.IsAsking = false;
        pool.Rest(TimeSpan.FromMilliseconds(100));
        Assert.Equal(0, pool.Missing(16));
        _time.Advance(TimeSpan.FromMilliseconds(101));
        Assert.Equal(2, pool.Missing(16));
    }

    [Theory]
    [InlineData(null, null, null, "a")]
    [InlineData(null, null, "b", "b")]
    [InlineData("dom-b", null, "b", "b")]
    [InlineData("dom-b", null, null, "b")]
    [InlineData(null, "b", "b", "b")]
    [InlineData("dom-c", null, null, null)]
    [InlineData(null, "c", "c", null)]
    [InlineData(null, null, "c", null)]
    [InlineData("dom-a", null, "b", null)]
    public void A_turn_takes_what_it_demands_and_what_it_prefers_or_nothing(string? domain, string? only, string? preferred, string? taken)
    {
        var pool = PoolWith(0);
        pool.Add(Slot("a"));
        pool.Add(Slot("b"));
        var request = new AdmissionRequest(Guid.Empty, AdmissionPurpose.Turn, "key-1", "m", domain, preferred, null, NeedsWebSockets: false, WaitMs: 0, OnlyAccountId: only);
        Assert.Null(pool.Take(request, isKnown: _ => false));
        Assert.Equal(taken, pool.Take(request, isKnown: _ => true)?.Account.Id);
        Assert.Equal(taken is null ? 2 : 1, pool.Slots.Count);
    }

    [Fact]
    public void It_is_idle_when_it_is_empty_and_no_turn_has_come_for_a_while()
    {
        var pool = PoolWith(1);
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.False(pool.IsIdle);
        pool.Remove(_ => true);
        Assert.True(pool.IsIdle);
        pool.CountTurn();
        Assert.False(pool.IsIdle);
    }

    private PrefetchedSlotPool PoolWith(int slots)
    {
        var pool = new PrefetchedSlotPool(_time);
        for (var slot = 0; slot < slots; slot++)
        {
            pool.Add(Slot("a"));
        }
        return pool;
    }

    private PrefetchedSlot Slot(string account) => new(
        Guid.CreateVersion7(), new AdmittedAccount(account, account, "http://upstream", $"dom-{account}", true, true, CredentialKind.Bearer, "t", 30), "1", _time.GetTimestamp());
}

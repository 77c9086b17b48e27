using Microsoft.Extensions.Time.Testing;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Clients;

namespace Proxy.Edge.Tests.Clients;

/// <summary>How many slots are worth leasing ahead, and which one a turn may take.</summary>
public sealed class AheadShelfTests
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
        var shelf = ShelfWith(kept);
        for (var turn = 0; turn < turns; turn++)
        {
            shelf.CountTurn();
        }
        Assert.Equal(missing, shelf.Missing(most));
    }

    [Fact]
    public void Turns_of_half_a_second_ago_do_not_count()
    {
        var shelf = ShelfWith(0);
        shelf.CountTurn();
        _time.Advance(TimeSpan.FromMilliseconds(300));
        shelf.CountTurn();
        Assert.Equal(2, shelf.Missing(16));
        _time.Advance(TimeSpan.FromMilliseconds(600));
        shelf.CountTurn();
        Assert.Equal(0, shelf.Missing(16));
    }

    [Fact]
    public void While_it_asks_or_rests_it_asks_for_no_more()
    {
        var shelf = ShelfWith(0);
        shelf.CountTurn();
        shelf.CountTurn();
        shelf.IsAsking = true;
        Assert.Equal(0, shelf.Missing(16));
        shelf.IsAsking = false;
        shelf.Rest(TimeSpan.FromMilliseconds(100));
        Assert.Equal(0, shelf.Missing(16));
        _time.Advance(TimeSpan.FromMilliseconds(101));
        Assert.Equal(2, shelf.Missing(16));
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
        var shelf = ShelfWith(0);
        shelf.Add(Slot("a"));
        shelf.Add(Slot("b"));
        var request = new AdmissionRequest(Guid.Empty, AdmissionPurpose.Turn, "key-1", "m", domain, preferred, null, NeedsWebSockets: false, WaitMs: 0, OnlyAccountId: only);
        Assert.Null(shelf.Take(request, isKnown: _ => false));
        Assert.Equal(taken, shelf.Take(request, isKnown: _ => true)?.Account.Id);
        Assert.Equal(taken is null ? 2 : 1, shelf.Slots.Count);
    }

    [Fact]
    public void It_is_idle_when_it_is_empty_and_no_turn_has_come_for_a_while()
    {
        var shelf = ShelfWith(1);
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.False(shelf.IsIdle);
        shelf.Remove(_ => true);
        Assert.True(shelf.IsIdle);
        shelf.CountTurn();
        Assert.False(shelf.IsIdle);
    }

    private AheadShelf ShelfWith(int slots)
    {
        var shelf = new AheadShelf(_time);
        for (var slot = 0; slot < slots; slot++)
        {
            shelf.Add(Slot("a"));
        }
        return shelf;
    }

    private AheadSlot Slot(string account) => new(
        Guid.CreateVersion7(), new AdmittedAccount(account, account, "http://upstream", $"dom-{account}", true, true, CredentialKind.Bearer, "t", 30), "1", _time.GetTimestamp());
}

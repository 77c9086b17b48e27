using Microsoft.Extensions.Time.Testing;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Tests.Turns;

/// <summary>For how long an account is left alone, and whose word it takes.</summary>
public sealed class AccountMarkTests
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(2);

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 8, 1, 12, 0, 0, TimeSpan.Zero));

    [Fact]
    public void A_pause_grows_with_each_refusal_that_comes_after_it_and_not_with_those_within_it()
    {
        var pauses = new CoolDownBackoff(_time);
        foreach (var seconds in (int[])[2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600])
        {
            var until = _time.GetUtcNow().AddSeconds(seconds);
            Assert.Equal(until, pauses.Until("a", "m", First));
            Assert.Equal(until, pauses.Until("a", "m", First));
            _time.Advance(TimeSpan.FromSeconds(seconds));
        }
        Assert.Equal(_time.GetUtcNow() + First, pauses.Until("b", "m", First));
        Assert.Equal(_time.GetUtcNow() + First, pauses.Until("a", null, First));
        _time.Advance(TimeSpan.FromMinutes(12));
        Assert.Equal(_time.GetUtcNow() + First, pauses.Until("a", "m", First));
    }

    [Fact]
    public void The_pauses_that_are_remembered_are_bounded()
    {
        var pauses = new CoolDownBackoff(_time);
        for (var model = 0; model < 5000; model++)
        {
            Assert.Equal(_time.GetUtcNow() + First, pauses.Until("a", $"m-{model}", First));
        }
        _time.Advance(TimeSpan.FromMinutes(5));
        var until = pauses.Until("a", "m-new", First);
        Assert.Equal(until, pauses.Until("a", "m-new", First));
    }

    [Fact]
    public void A_refused_credential_is_believed_when_another_turn_is_refused_too_and_none_was_served()
    {
        var doubts = new RefusedCredentials(_time);
        var (one, other) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        Assert.False(doubts.IsCorroborated("a", "token", one));
        Assert.False(doubts.IsCorroborated("a", "token", one));
        Assert.False(doubts.IsCorroborated("b", "token", other));
        Assert.True(doubts.IsCorroborated("a", "token", other));
        // Another credential is another matter.
        Assert.False(doubts.IsCorroborated("a", "token-2", other));
        doubts.Served("a");
        Assert.False(doubts.IsCorroborated("a", "token-2", one));
        _time.Advance(TimeSpan.FromMinutes(6));
        Assert.False(doubts.IsCorroborated("a", "token-2", other));
    }

    [Theory]
    [InlineData(RefusalReason.AllCooling, 3.0, 30, 3.02)]
    [InlineData(RefusalReason.OwnerCooling, 3.0, 30, 3.02)]
    [InlineData(RefusalReason.AllCooling, 20.0, 30, 5.0)]
    [InlineData(RefusalReason.AllCooling, -1.0, 30, 0.02)]
    [InlineData(RefusalReason.AllCooling, 31.0, 30, null)]
    [InlineData(RefusalReason.AllCooling, 0.0, 0, null)]
    [InlineData(RefusalReason.AllCooling, null, 30, null)]
    [InlineData(RefusalReason.AtCapacity, 1.0, 30, null)]
    [InlineData(RefusalReason.NoAccounts, 1.0, 30, null)]
    internal void What_is_back_in_time_is_waited_for(RefusalReason reason, double? until, int left, double? wait)
    {
        var now = _time.GetUtcNow();
        var refusal = new AdmissionRefusal(reason, until is { } seconds ? now.AddSeconds(seconds) : null);
        Assert.Equal(wait, Refusals.WaitOf(refusal, TimeSpan.FromSeconds(left), now)?.TotalSeconds);
    }
}

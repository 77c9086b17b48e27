using Microsoft.Extensions.Time.Testing;
using Proxy.Edge.Sessions;

namespace Proxy.Edge.Tests.Sessions;

public sealed class ForwardReplayGuardTests
{
    [Fact]
    public void When_there_is_no_room_nothing_is_forgotten()
    {
        var time = new FakeTimeProvider();
        var seen = new ForwardReplayGuard(time, most: 2);
        var (first, second) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        Assert.Equal([ReplayCheck.First, ReplayCheck.First, ReplayCheck.Repeated, ReplayCheck.Full, ReplayCheck.Repeated], new[] { first, second, first, Guid.CreateVersion7(), second }.Select(seen.Take));
        time.Advance(TimeSpan.FromSeconds(119));
        Assert.Equal(ReplayCheck.Repeated, seen.Take(first));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(ReplayCheck.First, seen.Take(Guid.CreateVersion7()));
    }
}

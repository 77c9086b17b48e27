using Microsoft.Extensions.Time.Testing;
using Proxy.Edge.Sessions;

namespace Proxy.Edge.Tests.Sessions;

public sealed class ForwardedOnceTests
{
    [Fact]
    public void When_there_is_no_room_nothing_is_forgotten()
    {
        var time = new FakeTimeProvider();
        var seen = new ForwardedOnce(time, most: 2);
        var (first, second) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        Assert.Equal([Knock.First, Knock.First, Knock.Again, Knock.NoRoom, Knock.Again], new[] { first, second, first, Guid.CreateVersion7(), second }.Select(seen.Take));
        time.Advance(TimeSpan.FromSeconds(119));
        Assert.Equal(Knock.Again, seen.Take(first));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(Knock.First, seen.Take(Guid.CreateVersion7()));
    }
}

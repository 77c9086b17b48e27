using System.Globalization;
using Proxy.Edge.Routing;

namespace Proxy.Edge.Tests.Routing;

/// <summary>What is remembered of a socket has an end, however many responses come over it.</summary>
public sealed class LocalIdsTests
{
    private const int Capacity = 1000;

    [Fact]
    public void The_latest_are_known()
    {
        var ids = new LocalIds();
        Assert.True(ids.IsEmpty);
        foreach (var number in Enumerable.Range(0, Capacity + 1))
        {
            ids.Add(Id(number));
            ids.Add(Id(number));
        }
        Assert.False(ids.IsEmpty);
        Assert.Equal((false, true, true), (ids.Contains(Id(0)), ids.Contains(Id(1)), ids.Contains(Id(Capacity))));
    }

    private static string Id(int number) => number.ToString(CultureInfo.InvariantCulture);
}

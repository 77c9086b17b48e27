using System.Net;
using System.Net.Sockets;
using Aspire.Hosting;

namespace AppHost.Tests;

public sealed class FreePortTests
{
    [Fact]
    public void No_port_is_given_twice() => Assert.Distinct(Enumerable.Range(0, 50).Select(_ => FreePort.Next()));

    [Fact]
    public void Ports_lie_below_those_of_outgoing_connections() => Assert.All(Enumerable.Range(0, 50), _ => Assert.InRange(FreePort.Next(), 10_000, 19_999));

    [Fact]
    public void A_port_somebody_listens_on_is_not_free()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();

        Assert.False(FreePort.IsFree(((IPEndPoint)listener.LocalEndpoint).Port));
    }
}

using System.Net;
using System.Net.Sockets;
using Aspire.Hosting;

namespace AppHost.Tests;

public sealed class FreePortTests
{
    [Fact]
    public void No_port_is_given_twice() => Assert.Distinct(Enumerable.Range(0, 50).Select(_ => FreePort.Next()));

    [Fact]
    public void A_port_somebody_listens_on_is_not_free()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();

        Assert.False(FreePort.IsFree(((IPEndPoint)listener.LocalEndpoint).Port));
    }
}

using Proxy.Edge.Tests.Fixture;
using Proxy.Edge.Upstream;

namespace Proxy.Edge.Tests.Sockets;

public sealed class AcceptTests
{
    // RFC 6455 section 1.3.
    [Fact]
    public void The_example_of_the_protocol() => Assert.Equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WebSocketAccept.For("dGhlIHNhbXBsZSBub25jZQ=="));

    [Theory]
    [InlineData("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]
    [InlineData("X-Nothing: x")]
    public async Task A_server_that_says_101_to_anything_has_opened_no_socket(string header)
    {
        await using var edge = await RunningEdge.StartAsync(null, "Edge:CreatedSeconds=2", "Edge:KeepAliveSeconds=1");
        using var upstream = new RawUpstream($"HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\n{header}\n\n", staysOpen: true);
        edge.Add("a", baseUrl: upstream.Address);
        using var socket = await edge.ConnectAsync();
        SocketTurnTests.AssertError(await socket.TurnAsync(), 502, "upstream_unavailable");
        // Nothing of the turn was handed to it.
        Assert.Equal("refused", (await edge.RowAsync()).Status);
    }
}

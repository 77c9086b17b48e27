using Proxy.Edge.Tests.Fixture;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Accounts that speak no WebSocket although they are said to: without the gateway their clients would use HTTP, and so does it.</summary>
public sealed class NoWebSocketTests
{
    [Theory]
    [InlineData(426)]
    [InlineData(404)]
    [InlineData(405)]
    [InlineData(501)]
    [InlineData(200)]
    public async Task A_turn_over_http_stays_on_http(int status)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnUpgrade().Refuses(status, "websockets_unavailable")));
        var answer = await edge.CarryAsync("first");
        answer.Completed();
        Assert.Equal("owner=none; replays=0; reason=websocket_refused", answer.Header("x-continuity"));
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
        Assert.True(edge.Accounts.Marks.Single().OnlyWebSockets);
        (await edge.CarryAsync("second")).Completed();
        Assert.Equal((1, 2), (edge.UpgradesAt("a"), edge.BodiesAt("a").Count));
        var rows = await edge.QuietAsync(turns: 2);
        Assert.All(rows, row => Assert.Equal(("success", null), (row.Status, row.Session)));
    }

    [Theory]
    [InlineData(426)]
    [InlineData(405)]
    public async Task A_client_that_wants_a_socket_is_sent_to_http_where_no_account_speaks_it(int status)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b", webSockets: false);
            edge.Sim.Script(rule => rule.OnUpgrade().Refuses(status, "websockets_unavailable"));
        });
        for (var turn = 0; turn < 2; turn++)
        {
            using var socket = await edge.ConnectAsync();
            Assert.Equal(426, socket.Status);
            await Eventually.TrueAsync(() => edge.Accounts.Marks.Any(mark => mark.OnlyWebSockets));
        }
        Assert.Equal(1, edge.UpgradesAt("a"));
    }

    [Fact]
    public async Task A_client_that_wants_a_socket_gets_one_where_any_account_speaks_it()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.OnUpgrade().Account("a").Refuses(426));
        });
        using (var socket = await edge.ConnectAsync())
        {
            Assert.Equal(101, socket.Status);
            Told.Completed(await socket.AskAsync(Asking.Frame()));
            Assert.Equal((0, 1), (edge.FramesAt("a").Count, edge.FramesAt("b").Count));
        }
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
    }

    // A frame has a limit that a body has not, and it was the gateway that made a frame of it.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_too_large_for_a_frame_goes_over_http(bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OverWebSocket().Closes(1009)));
        var answer = await edge.CarryAsync(stream: stream);
        answer.Completed();
        Assert.Equal((1, 1), (edge.FramesAt("a").Count, edge.BodiesAt("a").Count));
        Assert.Equal("owner=none; replays=1; reason=frame_too_large", answer.Header("x-continuity"));
        await edge.QuietAsync(turns: 1);
        Assert.Empty(edge.Accounts.Marks);
    }
}

/// <summary>Counts upgrades that were refused, too.</summary>
internal static class Upgrades
{
    public static int UpgradesAt(this RunningEdge edge, string token) => edge.Sim.Recorded.Of(token).Count(exchange => exchange.Method == "GET");
}

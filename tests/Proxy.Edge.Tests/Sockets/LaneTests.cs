using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sockets;

public sealed class LaneTests
{
    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 2)]
    public async Task Lanes_run_at_once_and_each_in_its_order(bool lanes, int sockets)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: lanes);
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Delta(1)));
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.CreateAsync("stalls", "a");
            await socket.CreateAsync("second", "a");
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            var other = await socket.TurnAsync("other", "b");
            Assert.Equal(("response.completed", "b"), ((string?)other["type"], (string?)other["stream_id"]));
            Assert.DoesNotContain(edge.Sim.Recorded.TurnFrames, frame => frame.Text.Contains("second", StringComparison.Ordinal));

            edge.Sim.Release();
            Assert.Contains("stalls", (await socket.UntilTerminalAsync("a"))[^1], StringComparison.Ordinal);
            Assert.Contains("second", (await socket.UntilTerminalAsync("a"))[^1], StringComparison.Ordinal);
            // The upgrade's own socket serves the default lane, where lanes have a socket each.
            Assert.Equal(lanes ? sockets : sockets + 1, edge.Sim.Recorded.Sockets.Count());
        }
        await edge.NothingIsLeftAsync(turns: 3);
    }

    // A response that is not stored lives on the socket that made it, whichever lane asks for it.
    [Fact]
    public async Task A_fork_on_another_lane_runs_on_the_socket_that_holds_its_anchor()
    {
        await using var edge = await RunningEdge.StartAsync();
        using (var socket = await edge.ConnectAsync())
        {
            var parent = await socket.AnchorAsync(store: false, lane: "a");
            await socket.SendAsync(Asking.Frame("fork", "b", store: false, anchor: parent));
            var forked = await socket.UntilTerminalAsync("b");
            Assert.Contains($"Anchor: {parent}.", forked[^1], StringComparison.Ordinal);
            Assert.All(forked, text => Assert.Equal("b", JsonNode.Parse(text)!.Lane()));
            var child = JsonNode.Parse(forked[^1])!.Id();
            await socket.SendAsync(Asking.Frame("on", "b", store: false, anchor: child));
            Assert.Contains($"Anchor: {child}.", (await socket.UntilTerminalAsync("b"))[^1], StringComparison.Ordinal);
        }
        await edge.NothingIsLeftAsync(turns: 3);
        Assert.Equal(1, edge.SocketsUsedAt("a"));
    }

    [Fact]
    public async Task A_fork_waits_for_the_turn_that_is_on_its_anchors_socket()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Delta(1))));
        using (var socket = await edge.ConnectAsync())
        {
            var parent = await socket.AnchorAsync(store: false, lane: "a");
            await socket.SendAsync(Asking.Frame("stalls", "a"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await socket.SendAsync(Asking.Frame("fork", "b", store: false, anchor: parent));
            // Other lanes do not.
            Assert.Contains("You said: other.", (await AskAsync("other", "c"))[^1], StringComparison.Ordinal);
            Assert.DoesNotContain(edge.FramesAt("a"), frame => frame.Contains("fork", StringComparison.Ordinal));
            edge.Sim.Release();
            Assert.Contains("stalls", (await socket.UntilTerminalAsync("a"))[^1], StringComparison.Ordinal);
            // Upstream keeps the latest response of a socket: the parent may be gone by now, which it says, and the fork's client can act on that.
            await socket.UntilTerminalAsync("b");

            async Task<List<string>> AskAsync(string input, string lane)
            {
                await socket.SendAsync(Asking.Frame(input, lane));
                return await socket.UntilTerminalAsync(lane);
            }
        }
        await edge.NothingIsLeftAsync(turns: 4);
    }

    [Fact]
    public async Task Where_the_account_has_lanes_frames_and_events_pass_as_bytes()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("a", lanes: true));
        using var socket = await edge.ConnectAsync();
        var frame = "{\"type\":\"response.create\", \"model\":\"gpt-5.6\",\"store\":false,\"input\":\"x\",\"stream_id\" : \"a\"}";
        await socket.SendAsync(frame);
        var received = await socket.UntilTerminalAsync("a");
        var upstream = Assert.Single(edge.Sim.Recorded.Sockets);
        Assert.Equal(frame, Assert.Single(upstream.Received).Text);
        Assert.Equal(received, upstream.Sent.Select(sent => sent.Text));
    }

    [Fact]
    public async Task Where_it_has_none_the_lane_is_taken_out_and_put_back()
    {
        await using var edge = await RunningEdge.StartAsync();
        using var socket = await edge.ConnectAsync();
        await socket.SendAsync("{\"type\":\"response.create\", \"stream_id\" : \"a\",\"model\":\"gpt-5.6\",\"store\":false,\"input\":\"x\"}");
        var received = await socket.UntilTerminalAsync("a");
        var upstream = Assert.Single(edge.Sim.Recorded.Sockets, exchange => exchange.Frames.Count > 0);
        Assert.Equal("{\"type\":\"response.create\",\"model\":\"gpt-5.6\",\"store\":false,\"input\":\"x\"}", Assert.Single(upstream.Received).Text);
        Assert.Equal(received, upstream.Sent.Select(sent => "{\"stream_id\":\"a\"," + sent.Text[1..]));
        await socket.SendAsync("{\"type\":\"response.processed\",\"stream_id\":\"a\"}");
        await Eventually.TrueAsync(() => upstream.Received.Any(frame => frame.Text == "{\"type\":\"response.processed\"}"));
    }

    [Fact]
    public async Task The_33rd_lane_is_refused_and_the_others_go_on()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("a", lanes: true));
        using var socket = await edge.ConnectAsync();
        for (var lane = 0; lane < 32; lane++)
        {
            await socket.TurnAsync(lane: $"lane-{lane}");
        }
        var refused = await socket.TurnAsync(lane: "lane-32");
        SocketTurnTests.AssertError(refused, 400, "websocket_stream_limit_reached", "lane-32");
        Assert.Equal("response.completed", (string?)(await socket.TurnAsync(lane: "lane-31"))["type"]);
        Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
        Assert.Equal(34, edge.Sim.Recorded.TurnFrames.Count());
    }

    [Fact]
    public async Task A_lane_has_a_length()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls()));
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync("stalls");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        for (var queued = 0; queued < 65; queued++)
        {
            await socket.CreateAsync();
        }
        SocketTurnTests.AssertError(await socket.UntilAsync("error"), 429, "rate_limit_exceeded");
        edge.Sim.Release();
        for (var turn = 0; turn < 65; turn++)
        {
            Assert.Equal("response.completed", (string?)JsonNode.Parse((await socket.UntilTerminalAsync())[^1])!["type"]);
        }
        // What was refused is no turn: it costs a counter, not a row.
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Count(row => row.Status == "success") == 65);
        Assert.Equal(65, edge.Continuity.Rows.Count);
        Assert.Equal(1, edge.Counters.Of("continuity.refused_frame", ("code", "rate_limit_exceeded")));
    }

    // Ids that live on a socket must all live on the same one.
    [Fact]
    public async Task Lanes_that_start_at_once_open_one_socket()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Sim.Script(rule => rule.OnUpgrade().Once().Refuses(503));
            edge.Sim.Script(rule => rule.OnUpgrade().Waits(TimeSpan.FromMilliseconds(100)));
        });
        using var socket = await edge.ConnectAsync();
        foreach (var lane in (string[])["a", "b", "c", "d"])
        {
            await socket.CreateAsync(lane: lane);
        }
        var ended = new HashSet<string>();
        while (ended.Count < 4)
        {
            ended.Add((string)(await socket.UntilAsync("response.completed"))["stream_id"]!);
        }
        Assert.Single(edge.Sim.Recorded.Sockets, exchange => exchange.Status == 101);
    }

    [Fact]
    public async Task An_end_that_nobody_waits_for_reaches_nobody()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Delta(1)));
        });
        using var socket = await edge.ConnectAsync();
        await socket.TurnAsync(lane: "a");
        await socket.CreateAsync("stalls");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await edge.Sim.SendToSocketsAsync("{\"type\":\"response.completed\",\"stream_id\":\"a\",\"response\":{\"id\":\"resp_foreign\"}}");
        await edge.Sim.SendToSocketsAsync("{\"type\":\"response.completed\",\"response\":{\"id\":\"resp_foreign\"}}");
        Assert.Equal(1, edge.Leases.Count);
        edge.Sim.Release();
        Assert.NotEqual("resp_foreign", (string?)(await socket.UntilAsync("response.completed"))["response"]!["id"]);
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Count == 2);
        Assert.DoesNotContain(edge.Continuity.Rows, row => row.RequestId == "resp_foreign");
    }
}

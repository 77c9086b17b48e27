using System.Net;
using System.Net.Sockets;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Upstream sockets that end while a turn is on them, or never open; rules 4 and 5.</summary>
public sealed class CloseTests
{
    [Theory]
    [InlineData("cut", true)]
    [InlineData("eof", false)]
    [InlineData("1000", true)]
    [InlineData("1001", false)]
    [InlineData("1011", true)]
    [InlineData("1012", true)]
    public async Task A_turn_without_an_anchor_is_sent_once_more(string how, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Once().Breaks(how));
        });
        var body = Bridged.Body(stream: stream);
        (await edge.SendAsync(body, headers: Bridged.Thread)).Completed();
        Assert.Equal([Bridged.FrameOf(body), Bridged.FrameOf(body)], edge.FramesAt("a"));
        Assert.Equal((2, 0), (edge.SocketsUsedAt("a"), edge.HandshakesAt("b")));
        await edge.GoesOnAsync();
        Assert.Contains("replays=1", (await edge.QuietAsync(turns: 2))[0].Continuity, StringComparison.Ordinal);
        Assert.Empty(edge.Accounts.Marks);
    }

    [Fact]
    public async Task Once_and_not_twice()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Times(2).Breaks("1011")));
        (await edge.CarryAsync()).Refused(502, "stream_incomplete");
        Assert.Equal(2, edge.FramesAt("a").Count);
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2);
    }

    // test_bridge_context_blowup.py: never a not-found that is none, and never a second run. An SDK is kept from sending it again by itself.
    [Theory]
    [InlineData("cut", true, true)]
    [InlineData("eof", true, false)]
    [InlineData("1011", true, true)]
    [InlineData("1000", false, true)]
    [InlineData("1011", false, false)]
    public async Task A_follow_up_may_have_run(string how, bool local, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync();
        var anchor = local ? await edge.LocalAnchorAsync() : await edge.StoredAnchorAsync();
        edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().Breaks(how));
        var answer = await edge.CarryAsync("second", anchor, stream);
        Assert.StartsWith(Told.ClosedMessage, answer.Refused(502, "stream_incomplete").Message(), StringComparison.Ordinal);
        Assert.Equal("false", answer.Header("x-should-retry"));
        Assert.Equal(local ? 2 : 1, edge.FramesAt("a").Count);
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 3);
        Assert.Empty(edge.Accounts.Marks);
    }

    [Theory]
    [InlineData("cut", "created", false)]
    [InlineData("1001", "created", true)]
    [InlineData("1011", "delta:1", false)]
    [InlineData("1009", "delta:1", true)]
    public async Task After_created_the_response_fails(string how, string after, bool followUp)
    {
        await using var edge = await RunningEdge.StartAsync();
        var anchor = followUp ? await edge.LocalAnchorAsync() : null;
        edge.Sim.Script(rule => rule.Once().Breaks(how, Position.Parse(after)));
        var answer = await edge.CarryAsync("second", anchor);
        answer.Failed("stream_incomplete");
        Assert.Equal(followUp ? 2 : 1, edge.FramesAt("a").Count);
        await edge.GoesOnAsync();
        var rows = await edge.QuietAsync(turns: followUp ? 3 : 2);
        Assert.Equal(("cut", "stream_incomplete", answer.Id), (rows[^2].Status, rows[^2].ErrorCode, rows[^2].RequestId));
        Assert.Empty(edge.Accounts.Marks);
    }

    // What ended one socket may have ended the others, and they do not know it yet.
    [Fact]
    public async Task What_is_sent_once_more_gets_a_fresh_socket()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Created)));
        var running = edge.CarryAsync("stalls");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        (await edge.CarryAsync("short")).Completed();
        edge.Sim.Release();
        (await running).Completed();
        Assert.Equal(2, edge.OpenAt("a"));
        edge.Sim.Script(rule => rule.When(when => when with { Contains = "again" }).Once().Breaks("cut"));
        (await edge.CarryAsync("again")).Completed();
        Assert.Equal(3, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 3);
    }

    [Fact]
    public async Task After_created_an_answer_that_is_not_streamed_is_a_status()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Breaks("1011", Position.Delta(1))));
        (await edge.CarryAsync(stream: false)).Refused(502, "stream_incomplete");
        Assert.Single(edge.FramesAt("a"));
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2);
    }

    [Theory]
    [InlineData("1008", 502, "stream_incomplete")]
    [InlineData("1007", 502, "stream_incomplete")]
    [InlineData("1003", 502, "stream_incomplete")]
    public async Task A_verdict_on_the_frame_is_not_asked_for_twice(string close, int status, string code)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Once().Breaks(close));
        });
        (await edge.CarryAsync()).Refused(status, code);
        Assert.Equal((1, 0), (edge.FramesAt("a").Count, edge.HandshakesAt("b")));
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2);
        Assert.Empty(edge.Accounts.Marks);
    }

    // The sockets of a session end each for itself.
    [Fact]
    public async Task A_socket_that_ends_takes_only_its_own_turn_along()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Created));
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "breaks" }).Breaks("1011", Position.Delta(1)));
        });
        var running = edge.CarryAsync("stalls");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        (await edge.CarryAsync("breaks")).Failed("stream_incomplete");
        Assert.False(running.IsCompleted);
        edge.Sim.Release();
        (await running).Completed();
        await edge.GoesOnAsync();
        Assert.Equal(2, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 3);
    }

    [Theory]
    [InlineData("refused")]
    [InlineData("closed")]
    [InlineData("silent")]
    public async Task An_account_that_cannot_be_reached_is_left_for_another(string how)
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var address = $"http://{closed.LocalEndpoint}/v1";
        closed.Stop();
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", baseUrl: how == "closed" ? address : null);
            edge.Add("b");
            edge.Sim.Script(rule => _ = how == "silent" ? rule.OnUpgrade().Account("a").Stalls() : rule.OnUpgrade().Account("a").Refuses(503, "server_error"));
        }, "Edge:ConnectSeconds=1");
        (await edge.CarryAsync()).Completed();
        Assert.Single(edge.FramesAt("b"));
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2);
        Assert.Empty(edge.Accounts.Marks);
    }

    // Upstream never opened on another.
    [Fact]
    public async Task An_owner_that_cannot_be_reached_is_not_left()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"));
        var anchor = await edge.StoredAnchorAsync();
        edge.Sim.Script(rule => rule.OnUpgrade().Account("a").Refuses(500, "server_error"));
        Assert.Equal(Told.OwnerAwayMessage, (await edge.CarryAsync("second", anchor)).Refused(502, "upstream_unavailable").Message());
        Assert.Equal(0, edge.HandshakesAt("b"));
        edge.Sim.ClearScript();
        (await edge.CarryAsync("second", anchor)).Completed();
        await edge.QuietAsync(turns: 3);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_silent_upstream_is_not_waited_for_for_ever(bool followUp)
    {
        await using var edge = await RunningEdge.StartAsync(null, "Edge:CreatedSeconds=1", "Edge:KeepAliveSeconds=0.9");
        var anchor = followUp ? await edge.LocalAnchorAsync() : null;
        edge.Sim.Script(rule => rule.When(when => when with { Contains = "silent" }).Stalls());
        var answer = await edge.CarryAsync("silent", anchor, stream: true);
        Assert.Contains("upstream_request_timeout", answer.Body, StringComparison.Ordinal);
        edge.Sim.ClearScript();
        edge.Sim.Release();
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: followUp ? 3 : 2);
    }
}

using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Rules 1, 4 and 5 over WebSocket: a connection that ends after a turn was sent on it.</summary>
public sealed class AmbiguityTests
{
    // The socket is closed as the turn is sent.
    [Theory]
    [InlineData("cut")]
    [InlineData("eof")]
    [InlineData("1000")]
    [InlineData("1001")]
    [InlineData("1011")]
    [InlineData("1012")]
    [InlineData("1013")]
    public async Task A_plain_turn_that_is_alone_is_sent_once_more(string how)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Breaks(how)));
        using (var socket = await edge.ConnectAsync())
        {
            var frame = Asking.Frame("alone");
            Told.Completed(await socket.AskAsync(frame));
            Assert.Equal([frame, frame], edge.FramesAt("a"));
            Assert.Equal(2, edge.SocketsUsedAt("a"));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Empty(edge.Accounts.Marks);
        Assert.Equal(1, edge.Counters.Of("continuity.replay", ("surface", "websocket"), ("trigger", "ambiguous")));
        Assert.Single(edge.Continuity.Rows, row => row.Continuity?.Contains("replays=1", StringComparison.Ordinal) == true);
    }

    // Rule 2.
    [Fact]
    public async Task It_is_sent_once_more_and_not_twice()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Times(2).Closes(1011)));
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(Asking.Frame());
            Told.Failed(events, "stream_incomplete", 502);
            Assert.Equal(Told.ClosedMessage + " (close_code=1011)", events[^1].Message());
            Assert.Equal(2, edge.FramesAt("a").Count);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    // Upstream may have run the follow-up.
    [Theory]
    [InlineData("cut", "anchor")]
    [InlineData("1011", "anchor")]
    [InlineData("eof", "anchor")]
    [InlineData("cut", "conversation")]
    [InlineData("1011", "conversation")]
    public async Task A_follow_up_is_never_sent_again(string how, string demand)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "wanted" }).Once().Breaks(how));
            edge.Continuity.Own("wanted-id", "a");
        });
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(QuotaTests.Demand("wanted", demand));
            Told.Failed(events, "stream_incomplete", 502);
            Assert.Equal(Told.ClosedMessage + (how == "1011" ? " (close_code=1011)" : ""), events[^1].Message());
            Assert.Single(edge.FramesAt("a"));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Empty(edge.Accounts.Marks);
        Assert.Empty(edge.Counters.All("continuity.replay"));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("1011")]
    public async Task Nothing_that_may_have_run_is_sent_again_where_that_is_wished(string how)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Breaks(how)), "Recovery:ReplayAfterClose=unsent");
        using (var socket = await edge.ConnectAsync())
        {
            Told.Failed(await socket.AskAsync(Asking.Frame()), "stream_incomplete", 502);
            Assert.Single(edge.FramesAt("a"));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    // Rule 5: a verdict on the frame. 1009 is the size.
    [Theory]
    [InlineData(1002, 502, "stream_incomplete")]
    [InlineData(1003, 502, "stream_incomplete")]
    [InlineData(1007, 502, "stream_incomplete")]
    [InlineData(1008, 502, "stream_incomplete")]
    [InlineData(1009, 400, "payload_too_large")]
    public async Task A_frame_that_upstream_does_not_bear_is_not_sent_again(int closeCode, int status, string code)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Closes(closeCode)));
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(Asking.Frame());
            Told.Failed(events, code, status);
            if (status == 502)
            {
                Assert.Contains($"(close_code={closeCode})", events[^1].Message(), StringComparison.Ordinal);
            }
            Assert.Single(edge.FramesAt("a"));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Empty(edge.Accounts.Marks);
    }

    // A socket with several turns on it tells nothing of what has run.
    [Theory]
    [InlineData("created")]
    [InlineData("start")]
    public async Task A_turn_that_was_not_alone_is_not_sent_again(string otherIsAt)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "other" }).Once().Stalls(Position.Parse(otherIsAt)));
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "mine" }).Once().Stalls());
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("other", "x"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            if (otherIsAt == "created")
            {
                await socket.UntilAsync("response.created");
            }
            await socket.SendAsync(Asking.Frame("mine", "y"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
            edge.Sim.Kill();
            var ends = new Dictionary<string, JsonNode>();
            while (ends.Count < 2)
            {
                var json = JsonNode.Parse((await socket.UntilTerminalAsync())[^1])!;
                ends[json.Lane()!] = json;
            }
            Assert.Equal((otherIsAt == "created" ? "response.failed" : "error", "stream_incomplete"), (ends["x"].Type(), ends["x"].Code()));
            Told.Failed([ends["y"]], "stream_incomplete", 502, "y");
            Assert.Equal(2, edge.FramesAt("a").Count);
            await socket.StillWorksAsync("x");
            await socket.StillWorksAsync("y");
        }
        await edge.NothingIsLeftAsync(turns: 4);
        Assert.Empty(edge.Counters.All("continuity.replay"));
    }

    // Where lanes have sockets of their own each turn is alone on its.
    [Fact]
    public async Task Alone_means_on_the_upstream_socket()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "other" }).Stalls(Position.Delta(1)));
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "mine" }).Once().Cuts());
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("other", "x"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await socket.SendAsync(Asking.Frame("mine", "y"));
            Assert.Contains("You said: mine", (await socket.UntilTerminalAsync("y"))[^1], StringComparison.Ordinal);
            edge.Sim.Release();
            Assert.Contains("You said: other", (await socket.UntilTerminalAsync("x"))[^1], StringComparison.Ordinal);
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    // A prewarm makes nothing visible; Codex would wait 15 s for it.
    [Theory]
    [InlineData("start")]
    [InlineData("created")]
    public async Task A_prewarm_is_sent_again_even_after_created(string after)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Prewarm = true }).Once().Cuts(Position.Parse(after))));
        using (var socket = await edge.ConnectAsAsync(codex: true))
        {
            var events = await socket.AskAsync(Asking.Frame("", store: false, more: ",\"generate\":false"));
            Assert.Single(events, one => one.Type() == "response.created");
            Assert.Equal("response.completed", events[^1].Type());
            Assert.Equal(2, edge.FramesAt("a").Count);
            // The id it ends with is the one that lives upstream.
            Told.Completed(await socket.AskAsync(Asking.Frame("next", store: false, anchor: events[^1].Id())));
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    // Rule 1.
    [Theory]
    [InlineData("cut", "created", false)]
    [InlineData("1011", "created", false)]
    [InlineData("cut", "delta:2", false)]
    [InlineData("cut", "delta:2", true)]
    [InlineData("eof", "output", false)]
    public async Task After_created_nothing_is_sent_again(string how, string after, bool followUp)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "breaks" }).Once().Breaks(how, Position.Parse(after))));
        using (var socket = await edge.ConnectAsync())
        {
            var anchor = followUp ? await socket.AnchorAsync() : null;
            Told.Failed(await socket.AskAsync(Asking.Frame("breaks", anchor: anchor)), "stream_incomplete", 502);
            Assert.Equal(followUp ? 2 : 1, edge.FramesAt("a").Count);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: followUp ? 3 : 2);
        Assert.Single(edge.Continuity.Rows, row => row is { Status: "cut", UsageEstimated: true });
    }

    // Events before response.created are no progress and no visibility of the response.
    [Fact]
    public async Task Rate_limits_before_created_do_not_stand_in_the_way()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Inserts("""{"type":"codex.rate_limits","rate_limits":{}}""").Cuts()));
        using (var socket = await edge.ConnectAsAsync(codex: true))
        {
            var events = await socket.AskAsync(Asking.Frame());
            Told.Completed(events.FindAll(one => one.Type() != "codex.rate_limits"));
            Assert.Equal(2, edge.FramesAt("a").Count);
        }
        await edge.NothingIsLeftAsync(turns: 1);
    }

    // The client is told goodbye when the ids of its socket have died with upstream's. What it sends meanwhile is either answered or was never
    // accepted: a turn that is accepted and then dropped has run for nobody.
    [Fact]
    public async Task A_turn_that_crosses_the_goodbye_is_answered_or_was_never_accepted()
    {
        const int rounds = 100;
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "first" }).Ends(Position.Terminal)));
        var answered = 0;
        for (var round = 0; round < rounds; round++)
        {
            using var socket = await edge.ConnectAsync();
            await socket.AnchorAsync(store: false);
            try
            {
                await socket.SendAsync(Asking.Frame("second"));
                await socket.UntilTerminalAsync();
                answered++;
            }
            catch (Exception closed) when (closed is IOException or System.Net.WebSockets.WebSocketException)
            {
                // As if it had never been sent.
            }
        }
        await edge.NothingIsLeftAsync(turns: rounds + answered);
        Assert.DoesNotContain(edge.Continuity.Rows, row => row.Status == "cancelled");
    }

    // A client that leaves: its upstream socket goes with it, its usage is an estimate once the response has begun.
    [Theory]
    [InlineData("start", false)]
    [InlineData("delta:2", true)]
    public async Task A_client_that_leaves_leaves_nothing(string after, bool estimated)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Stalls(Position.Parse(after)));
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame());
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            socket.Raw.Abort();
        }
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        var row = await edge.RowAsync();
        Assert.Equal(("cancelled", estimated), (row.Status, row.UsageEstimated));
        Assert.Single(edge.FramesAt("a"));
    }

    // Leaving during the pause before a replay ends it.
    [Fact]
    public async Task A_client_that_leaves_is_not_replayed_for()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").Errors(429, "usage_limit_reached"));
            edge.Sim.Script(rule => rule.Account("b").OnUpgrade().Stalls());
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame());
            await edge.Sim.WhenAsync(sim => sim.Recorded.Of("b").Any() || sim.Stalled == 1);
            socket.Raw.Abort();
        }
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Count == 1);
        edge.Sim.Release();
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Equal("cancelled", (await edge.RowAsync()).Status);
        Assert.Empty(edge.FramesAt("b"));
    }
}

using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>
/// Rule 10, errors that name no turn. Requests that are pipelined on one socket are on named lanes: a lane
/// is the gate, and only an account with lanes has several turns on one upstream socket.
/// </summary>
public sealed class MatchingTests
{
    private const string Lost = """{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"Cannot continue conversation because upstream lost ANCHOR.","param":"previous_response_id"}}""";
    private const string LostFailed = """{"type":"response.failed","response":{"id":"resp_foreign","status":"failed","error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"Previous response with id 'ANCHOR' not found.","param":"previous_response_id"}}}""";
    private const string LostAnonymous = """{"type":"response.failed","response":{"status":"failed","error":{"code":"previous_response_not_found","message":"Cannot continue conversation because upstream lost ANCHOR."}}}""";

    private const string Foreign = """{"type":"TYPE","response":{"id":"resp_foreign","status":"completed","usage":{"input_tokens":999,"output_tokens":999,"total_tokens":1998}}}""";

    private static readonly string[] LostShapes = [Lost, LostFailed, LostAnonymous];

    public static TheoryData<int, string, string> Anchors
    {
        get
        {
            var data = new TheoryData<int, string, string>();
            for (var shape = 0; shape < LostShapes.Length; shape++)
            {
                data.Add(shape, "resp_anchor_a", "resp_anchor_b");
                // One is the beginning of the other.
                data.Add(shape, "resp_anchor_1234", "resp_anchor_123");
                data.Add(shape, "resp_anchor_123", "resp_anchor_1234");
            }
            return data;
        }
    }

    // The anchor tells which of two follow-ups is meant, also where anchors overlap.
    [Theory]
    [MemberData(nameof(Anchors))]
    public async Task Only_the_turn_whose_anchor_is_named_fails(int shape, string named, string other)
    {
        await using var edge = await StartAsync(Position.Created);
        using (var socket = await edge.ConnectAsync())
        {
            var lanes = new Lanes(socket);
            await lanes.BeginAsync("x", named);
            await lanes.BeginAsync("y", other);
            await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
            await edge.Sim.SendToSocketsAsync(LostShapes[shape].Replace("ANCHOR", named, StringComparison.Ordinal));
            Told.Failed(await lanes.EndAsync("x"), "stream_incomplete", 502, "x");
            edge.Sim.Release();
            Told.Completed(await lanes.EndAsync("y"));
            await lanes.StillWorksAsync("x", "y");
        }
        await edge.NothingIsLeftAsync(turns: 4);
    }

    // A hint that matches nobody belongs to nobody, where a response has begun.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task An_anchor_that_nobody_has_is_swallowed(int shape)
    {
        await using var edge = await StartAsync(Position.Created);
        using (var socket = await edge.ConnectAsync())
        {
            var lanes = new Lanes(socket);
            await lanes.BeginAsync("x", "resp_anchor_b");
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await edge.Sim.SendToSocketsAsync(LostShapes[shape].Replace("ANCHOR", "resp_anchor_a", StringComparison.Ordinal));
            edge.Sim.Release();
            Told.Completed(await lanes.EndAsync("x"));
            Assert.Empty(lanes.Laneless);
            await lanes.StillWorksAsync("x");
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    // Nobody else is there whose it could be.
    [Theory]
    [InlineData("""{"type":"error","status":500,"response_id":"resp_odd","error":{"code":"server_error","message":"resp_odd failed"}}""")]
    [InlineData("""{"type":"response.failed","response":{"id":"resp_odd","status":"failed","error":{"code":"server_error","message":"lost"}}}""")]
    [InlineData("""{"type":"error","status":400,"error":{"code":"previous_response_not_found","message":"Previous response with id 'resp_odd' not found."}}""")]
    public async Task An_error_about_what_nobody_knows_ends_the_only_turn_that_waits(string error)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Stalls()));
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("first"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await edge.Sim.SendToSocketsAsync(error);
            Assert.Contains(JsonNode.Parse((await socket.UntilTerminalAsync())[^1])!.Type(), (string?[])["error", "response.failed"]);
            edge.Sim.Release();
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Equal(["failed", "success"], edge.Continuity.Rows.Select(row => row.Status).Order());
    }

    // A late error of a lane whose turn has ended: neither the turn that waits beside it nor the lane's next one may take it for its own.
    [Fact]
    public async Task An_error_that_names_another_lane_is_not_the_waiting_turns()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "slow" }).Once().Stalls());
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("quick", lane: "x"));
            Told.Completed((await socket.UntilTerminalAsync()).ConvertAll(text => JsonNode.Parse(text)!));
            await socket.SendAsync(Asking.Frame("slow"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await edge.Sim.SendToSocketsAsync("""{"type":"error","status":400,"stream_id":"x","error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"Previous response not found."}}""");
            edge.Sim.Release();
            var events = (await socket.UntilTerminalAsync()).ConvertAll(text => JsonNode.Parse(text)!);
            Told.Completed(events);
            Assert.All(events, one => Assert.Null(one.Lane()));
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    [Fact]
    public async Task An_error_that_names_no_lane_is_told_on_the_lane_of_its_turn()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Sim.Script(rule => rule.Once().Stalls());
        });
        using (var socket = await edge.ConnectAsync())
        {
            var lanes = new Lanes(socket);
            await lanes.BeginAsync("x", null, "alone");
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await edge.Sim.SendToSocketsAsync("""{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"invalid_value","message":"No."}}""");
            Assert.Equal("error", (await lanes.EndAsync("x"))[^1].Type());
            Assert.Empty(lanes.Laneless);
            edge.Sim.Release();
            await lanes.StillWorksAsync("x");
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    // The one beside it has begun and would be named.
    [Fact]
    public async Task A_lost_anchor_without_a_name_is_the_turns_that_waits_without_a_lane()
    {
        await using var edge = await StartAsync(Position.Created);
        edge.Sim.Script(rule => rule.When(when => when with { Contains = "unnamed" }).Once().Stalls());
        using (var socket = await edge.ConnectAsync())
        {
            var lanes = new Lanes(socket);
            await lanes.BeginAsync("x", "resp_anchor");
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await socket.SendAsync(Asking.Frame("unnamed"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
            await edge.Sim.SendToSocketsAsync(Lost.Replace("upstream lost ANCHOR", "it is lost", StringComparison.Ordinal));
            await Eventually.TrueAsync(() => edge.Continuity.Rows.Count == 1);
            edge.Sim.Release();
            Told.Completed(await lanes.EndAsync("x"));
            Assert.Equal("error", lanes.Laneless[^1].Type());
            // What still comes of the one that was ended is not the next one's.
            await socket.SendAsync(Asking.Frame("the next"));
            Assert.Contains("You said: the next.", (await socket.UntilTerminalAsync())[^1], StringComparison.Ordinal);
        }
        await edge.NothingIsLeftAsync(turns: 3);
        Assert.Equal(["failed", "success", "success"], edge.Continuity.Rows.Select(row => row.Status).Order());
    }

    // Upstream may begin a successor of its own while the lane's next turn waits to begin.
    [Fact]
    public async Task A_response_that_continues_something_else_is_not_the_waiting_turns()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Stalls()));
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("first"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await edge.Sim.SendToSocketsAsync("""{"type":"response.created","response":{"id":"resp_odd","status":"in_progress","previous_response_id":"resp_other"}}""");
            edge.Sim.Release();
            var events = (await socket.UntilTerminalAsync()).ConvertAll(text => JsonNode.Parse(text)!);
            Assert.Equal("response.completed", events[^1].Type());
            Assert.DoesNotContain(events, one => one.Id() == "resp_odd");
        }
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task So_does_a_lost_anchor_that_the_turn_did_not_name()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Continuity.Own("resp_1", "a");
            edge.Sim.Script(rule => rule.Once().Answer(answer => answer with { Unchecked = true }).Stalls());
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Answer(answer => answer with { Unchecked = true }));
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("second", anchor: "resp_1"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await edge.Sim.SendToSocketsAsync(Lost.Replace("ANCHOR", "resp_odd", StringComparison.Ordinal));
            // Upstream has said that it has not run: it is sent once more.
            Assert.Contains("You said: second.", (await socket.UntilTerminalAsync())[^1], StringComparison.Ordinal);
        }
        await edge.NothingIsLeftAsync(turns: 1);
        // What may still come of the first finds its socket closed.
        Assert.Equal(2, edge.SocketsUsedAt("a"));
    }

    // Nothing tells them apart, so both fail.
    [Fact]
    public async Task Two_turns_on_one_lost_anchor_both_fail()
    {
        await using var edge = await StartAsync(Position.Created);
        using (var socket = await edge.ConnectAsync())
        {
            var lanes = new Lanes(socket);
            await lanes.BeginAsync("x", "resp_shared");
            await lanes.BeginAsync("y", "resp_shared");
            await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
            await edge.Sim.SendToSocketsAsync(Lost.Replace("ANCHOR", "resp_shared", StringComparison.Ordinal));
            Assert.Equal("response.failed", (await lanes.EndAsync("x"))[^1].Type());
            Assert.Equal("response.failed", (await lanes.EndAsync("y"))[^1].Type());
            edge.Sim.Release();
            await lanes.StillWorksAsync("x", "y");
        }
        await edge.NothingIsLeftAsync(turns: 4);
    }

    // The plain turn goes on. Here the follow-up may be sent once
    // more, since upstream said in so many words that it has not run.
    [Theory]
    [InlineData("created")]
    [InlineData("start")]
    public async Task A_turn_without_an_anchor_is_not_touched(string plainIsAt)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "plain" }).Once().Stalls(Position.Parse(plainIsAt)));
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().Answer(answer => answer with { Unchecked = true }).Stalls());
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Answer(answer => answer with { Unchecked = true }));
        });
        using (var socket = await edge.ConnectAsync())
        {
            var lanes = new Lanes(socket);
            await lanes.BeginAsync("x", null, "plain");
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await lanes.BeginAsync("y", "resp_anchor");
            await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
            await edge.Sim.SendToSocketsAsync(Lost.Replace("upstream lost ANCHOR", "it is lost", StringComparison.Ordinal));
            Told.Completed(await lanes.EndAsync("y"));
            edge.Sim.Release();
            Told.Completed(await lanes.EndAsync("x"));
            Assert.Empty(lanes.Laneless);
            await lanes.StillWorksAsync("x", "y");
        }
        await edge.NothingIsLeftAsync(turns: 4);
        Assert.Equal(5, edge.FramesAt("a").Count);
    }

    // Nobody hears of it, not even the only one that waits.
    [Theory]
    [InlineData("response.completed", "start")]
    [InlineData("response.completed", "created")]
    [InlineData("response.incomplete", "created")]
    [InlineData("response.failed", "created")]
    public async Task A_foreign_terminal_event_ends_no_turn(string type, string after)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Stalls(Position.Parse(after))));
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("mine"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await edge.Sim.SendToSocketsAsync(Foreign.Replace("TYPE", type, StringComparison.Ordinal));
            edge.Sim.Release();
            Told.Completed((await socket.UntilTerminalAsync()).ConvertAll(text => JsonNode.Parse(text)!));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.DoesNotContain(edge.Accounts.Settled, turn => turn.OutputTokens == 999);
        Assert.DoesNotContain(edge.Continuity.Published, published => published.Id.Id == "resp_foreign");
    }

    // Whichever ends first, each has its own row and usage.
    [Fact]
    public async Task Turns_end_in_whatever_order_upstream_ends_them()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "slow" }).Answer(answer => answer with { InputTokens = 7 }).Stalls(Position.Created));
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "fast" }).Answer(answer => answer with { InputTokens = 3 }));
        });
        using (var socket = await edge.ConnectAsync())
        {
            var lanes = new Lanes(socket);
            await lanes.BeginAsync("x", null, "slow");
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await lanes.BeginAsync("y", null, "fast");
            var fast = (await lanes.EndAsync("y"))[^1].Id();
            edge.Sim.Release();
            var slow = (await lanes.EndAsync("x"))[^1].Id();
            await Eventually.TrueAsync(() => edge.Continuity.Rows.Count == 2);
            Assert.Equal([(fast, 3L), (slow, 7L)], edge.Continuity.Rows.OrderBy(row => row.InputTokens).Select(row => (row.RequestId, row.InputTokens!.Value)));
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    private static Task<RunningEdge> StartAsync(Position after) => RunningEdge.StartAsync(edge =>
    {
        edge.Add("a", lanes: true);
        edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Answer(answer => answer with { Unchecked = true }).Stalls(after));
    });

    /// <summary>Several lanes of one client socket: events are kept apart as they come.</summary>
    private sealed class Lanes(EdgeSocket socket)
    {
        private readonly Dictionary<string, List<JsonNode>> _events = [];

        public List<JsonNode> Laneless { get; } = [];

        public Task BeginAsync(string lane, string? anchor, string input = "follow-up")
        {
            _events[lane] = [];
            return socket.SendAsync(Asking.Frame(input, lane, anchor: anchor));
        }

        /// <summary>The events of a lane's turn; those of others are kept for them.</summary>
        public async Task<List<JsonNode>> EndAsync(string lane)
        {
            while (_events[lane].LastOrDefault()?.Type() is not ("response.completed" or "response.failed" or "error"))
            {
                var json = JsonNode.Parse(await socket.ReceiveAsync() ?? throw new IOException("Closed within a turn."))!;
                (json.Lane() is { } of ? _events[of] : Laneless).Add(json);
            }
            return _events[lane];
        }

        /// <summary>Nothing more came of the turns that have ended, and a further one succeeds on each lane.</summary>
        public async Task StillWorksAsync(params string[] lanes)
        {
            foreach (var lane in lanes)
            {
                var before = _events[lane].Count;
                await BeginAsync(lane, null, "still there");
                Told.Completed(await EndAsync(lane));
                Assert.Contains("still there", _events[lane][^1].ToJsonString(), StringComparison.Ordinal);
                Assert.True(before > 0);
            }
        }
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Time limits, keep-alives and the status that is held back.</summary>
public sealed class LimitsTests
{
    private const string RateLimits = """{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":1}}}""";
    private const string KeepAlive = """{"type":"keepalive"}""";

    private static readonly string[] ShortCreated = ["Edge:ConnectSeconds=5", "Edge:KeepAliveSeconds=0.2", "Edge:CreatedSeconds=1", "Edge:IdleSeconds=20", "Edge:TurnSeconds=30"];
    private static readonly string[] ShortIdle = ["Edge:ConnectSeconds=1", "Edge:KeepAliveSeconds=0.2", "Edge:CreatedSeconds=1", "Edge:IdleSeconds=1", "Edge:TurnSeconds=30"];
    private static readonly string[] ShortTurn = ["Edge:ConnectSeconds=1", "Edge:KeepAliveSeconds=0.5", "Edge:CreatedSeconds=1", "Edge:IdleSeconds=1", "Edge:TurnSeconds=1"];
    private static readonly string[] Patient = ["Edge:ConnectSeconds=5", "Edge:KeepAliveSeconds=0.1", "Edge:CreatedSeconds=15", "Edge:IdleSeconds=20", "Edge:TurnSeconds=30"];

    [Fact]
    public async Task A_plain_turn_that_never_begins_is_sent_once_more()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Stalls()), ShortCreated);
        using (var socket = await edge.ConnectAsync())
        {
            var frame = Asking.Frame();
            Told.Completed(await socket.AskAsync(frame));
            Assert.Equal([frame, frame], edge.FramesAt("a"));
            Assert.Equal(2, edge.SocketsUsedAt("a"));
            await socket.StillWorksAsync();
        }
        edge.Sim.Release();
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Empty(edge.Accounts.Marks);
    }

    // It counts from the last byte of the request: what is still on its way has not been begun.
    [Theory]
    [MemberData(nameof(EachSurface.All), MemberType = typeof(EachSurface))]
    public async Task The_time_to_begin_does_not_run_while_the_turn_is_being_sent(string surface)
    {
        SlowLink? link = null;
        await using var edge = await EachSurface.StartAsync(surface, edge =>
        {
            link = new SlowLink(edge.Sim.BaseAddress, TimeSpan.FromSeconds(2));
            edge.Add("a", webSockets: surface != EachSurface.Http, baseUrl: link.Address);
        }, ShortCreated);
        using (link)
        {
            var events = await edge.AskAsync(surface, "response.completed", $",\"padding\":\"{new string('x', 12 << 20)}\"");
            Assert.Equal("response.completed", events[^1].Type());
            Assert.Equal(1, edge.Sim.Recorded.Turns.Count() + edge.Sim.Recorded.TurnFrames.Count());
        }
    }

    // Milestone is response.created: nothing else counts as progress.
    [Theory]
    [InlineData(RateLimits)]
    [InlineData(KeepAlive)]
    public async Task Chatter_is_no_progress(string chatter)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule =>
            {
                rule.When(when => when with { Contains = "chatters" }).Answer(answer => answer with { Unchecked = true });
                for (var beat = 0; beat < 40; beat++)
                {
                    rule.Inserts(chatter).Waits(TimeSpan.FromMilliseconds(100));
                }
                rule.Stalls();
            });
            edge.Continuity.Own("resp_1", "a");
        }, ShortCreated);
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(Asking.Frame("chatters", anchor: "resp_1"));
            Told.Failed(events.FindAll(one => one.Type() != "codex.rate_limits"), "upstream_request_timeout", 504);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    [Fact]
    public async Task A_follow_up_that_never_begins_is_not_sent_again()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().Stalls()), ShortCreated);
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(Asking.Frame("second", anchor: await socket.AnchorAsync()));
            Told.Failed(events, "upstream_request_timeout", 504);
            Assert.Equal(2, edge.FramesAt("a").Count);
            await socket.StillWorksAsync();
        }
        edge.Sim.Release();
        await edge.NothingIsLeftAsync(turns: 3);
        Assert.Empty(edge.Accounts.Marks);
    }

    // Only the aged turn ends, not its younger or livelier siblings. Its output, when it comes at last, is nobody's.
    [Fact]
    public async Task Only_the_aged_turn_ends()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "lives" }).Stalls(Position.Delta(1)));
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "hangs" }).Stalls());
        }, ShortCreated);
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("lives", "x"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await socket.SendAsync(Asking.Frame("hangs", "y"));
            var hung = JsonNode.Parse((await socket.UntilTerminalAsync("y"))[^1])!;
            Told.Failed([hung], "upstream_request_timeout", 504, "y");
            edge.Sim.Release();
            var after = (await socket.UntilTerminalAsync("x")).ConvertAll(text => JsonNode.Parse(text)!);
            Assert.Equal("response.completed", after[^1].Type());
            Assert.All(after, one => Assert.Equal("x", one.Lane()));
            await socket.StillWorksAsync("y");
            await socket.StillWorksAsync("x");
        }
        await edge.NothingIsLeftAsync(turns: 4);
        Assert.Empty(edge.Accounts.Marks);
        Assert.Equal(4, edge.FramesAt("a").Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Silence_within_a_response_is_an_idle_timeout_and_marks_nothing(bool socketed)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").Once().Stalls(Position.Delta(2)));
        }, ShortIdle);
        if (socketed)
        {
            using var socket = await edge.ConnectAsync();
            Told.Failed(await socket.AskAsync(Asking.Frame()), "stream_idle_timeout", 504);
            await socket.StillWorksAsync();
        }
        else
        {
            var (status, body) = await edge.TurnAsync();
            Assert.Equal(200, status);
            Told.Failed(Sse.Read(body), "stream_idle_timeout", 504);
            Assert.Equal(200, (await edge.TurnAsync()).Status);
        }
        edge.Sim.Release();
        await edge.NothingIsLeftAsync(turns: 2, "a", "b");
        Assert.Empty(edge.Accounts.Marks);
        Assert.Equal((2, 0), (edge.Sim.Account("a").Turns, edge.Sim.Account("b").Turns));
    }

    // A response in one piece has no response.created: its limit is that of the whole turn.
    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task Over_HTTP_a_turn_that_never_begins_is_not_sent_again(bool stream, bool followUp)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Continuity.Own("resp_1", "a");
            edge.Sim.Script(rule => rule.Account("a").Answer(answer => answer with { Unchecked = true }).Stalls());
        }, stream ? ShortCreated : ShortTurn);
        var (status, body) = await edge.TurnAsync(followUp ? Asking.Anchor("resp_1") : "", stream);
        if (stream)
        {
            // The status was gone with the first keep-alive.
            Assert.Equal(200, status);
            Assert.Equal(("response.failed", "upstream_request_timeout"), (Sse.Read(body)[^1].Type(), Sse.Read(body)[^1].Code()));
        }
        else
        {
            Assert.Equal((504, "upstream_request_timeout"), (status, JsonNode.Parse(body)!.Code()));
        }
        edge.Sim.Release();
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Empty(edge.Accounts.Marks);
        Assert.Equal((1, 0), (edge.Sim.Account("a").Turns, edge.Sim.Account("b").Turns));
    }

    // Only JSON keeps Codex alive; others know no such event.
    [Fact]
    public async Task A_silent_socket_turn_is_kept_alive_for_Codex_only_and_before_created_only()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls().Stalls(Position.Created)), Patient);
        using (var codex = await edge.ConnectAsAsync(codex: true))
        {
            using var other = await edge.ConnectAsAsync(codex: false);
            await other.SendAsync(Asking.Frame("other"));
            await codex.SendAsync(Asking.Frame("codex"));
            for (var beat = 0; beat < 3; beat++)
            {
                Assert.Equal(KeepAlive, await codex.ReceiveAsync());
            }
            await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
            edge.Sim.Release();
            while (JsonNode.Parse((await codex.ReceiveAsync())!)!.Type() is var type && type != "response.created")
            {
                Assert.Equal("keepalive", type);
            }
            await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
            edge.Sim.Release();
            Assert.DoesNotContain(KeepAlive, await codex.UntilTerminalAsync());
            Told.Completed((await other.UntilTerminalAsync()).ConvertAll(text => JsonNode.Parse(text)!));
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    [Theory]
    [InlineData("codex_cli_rs", "data: {\"type\":\"keepalive\"}\n\n")]
    [InlineData(null, ": keep-alive\n\n")]
    [InlineData("someone_else", ": keep-alive\n\n")]
    public async Task A_silent_stream_is_kept_alive_in_its_clients_language(string? originator, string beat)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls()), Patient);
        using var response = await edge.PostAsync(RunningEdge.Body(), headers: originator is null ? [] : [("originator", originator)]);
        Assert.Equal((200, "text/event-stream"), ((int)response.StatusCode, response.Content.Headers.ContentType!.MediaType));
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var head = new char[beat.Length * 2];
        await reader.ReadBlockAsync(head);
        Assert.Equal(beat + beat, new string(head));
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        edge.Sim.Release();
        var rest = await reader.ReadToEndAsync();
        Told.Completed(Sse.Read(rest).FindAll(one => one.Type() != "keepalive"));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    // An error that comes within the interval keeps its status.
    [Fact]
    public async Task The_status_waits_for_upstream_first()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls().Then(
            new StatusStep(422) { Body = JsonDocument.Parse("""{"error":{"code":"odd","message":"as it came"}}""").RootElement })));
        var turn = edge.TurnAsync();
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        edge.Sim.Release();
        var (status, body) = await turn;
        Assert.Equal((422, "as it came"), (status, JsonNode.Parse(body)!.Message()));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    // After the first keep-alive the status is gone: the same error ends the stream in the one way that Codex understands.
    [Fact]
    public async Task An_error_after_a_keep_alive_fails_the_stream()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls().Refuses(422, "odd", "late")), Patient);
        using var response = await edge.PostAsync(RunningEdge.Body());
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        edge.Sim.Release();
        var events = Sse.Read(await response.Content.ReadAsStringAsync());
        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal(("response.failed", "odd", "late"), (events[^1].Type(), events[^1].Code(), events[^1].Message()));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    // Clients read to the end of the body whatever stands in it.
    [Theory]
    [InlineData("created")]
    [InlineData("start")]
    public async Task A_failed_response_ends_the_body_although_upstream_keeps_it_open(string after)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule
            .Then(new FailedStep { Code = "odd", After = Position.Parse(after), Continue = true }).Stalls(Position.Parse(after))));
        var (status, body) = await edge.TurnAsync();
        Assert.Equal((200, "odd"), (status, Sse.Read(body)[^1].Code()));
        await edge.NothingIsLeftAsync(turns: 1);
        Assert.Equal("failed", (await edge.RowAsync()).Status);
    }

    [Theory]
    [InlineData("Edge:KeepAliveSeconds=60", "Edge:CreatedSeconds=60")]
    [InlineData("Edge:CreatedSeconds=100", "Edge:TurnSeconds=99")]
    [InlineData("Edge:IdleSeconds=100", "Edge:TurnSeconds=99")]
    [InlineData("Edge:ConnectSeconds=30", "Edge:TurnSeconds=29")]
    [InlineData("Edge:KeepAliveSeconds=0", "Edge:CreatedSeconds=60")]
    public async Task Limits_that_contradict_each_other_are_refused_at_start(params string[] settings)
    {
        string[] all = ["Edge:CreatedSeconds=20", "Edge:IdleSeconds=20", "Edge:ConnectSeconds=5", "Edge:TurnSeconds=120", .. settings];
        await Assert.ThrowsAsync<OptionsValidationException>(() => RunningEdge.StartAsync(null, all));
    }

    // The whole turn has an end, also over a socket and however lively it is.
    [Fact]
    public async Task A_lively_turn_ends_with_its_time()
    {
        await using var edge = await RunningEdge.StartAsync(
            edge => edge.Sim.Script(rule => rule.Once().Deltas(100_000, 4).Paced(TimeSpan.FromMilliseconds(5))),
            ShortTurn);
        using (var socket = await edge.ConnectAsync())
        {
            Told.Failed(await socket.AskAsync(Asking.Frame()), "upstream_request_timeout", 504);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Empty(edge.Accounts.Marks);
    }
}

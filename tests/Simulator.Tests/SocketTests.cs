using System.Net.WebSockets;
using Simulator.Scripts;

namespace Simulator.Tests;

public sealed class SocketTests : IAsyncLifetime
{
    private SimulatorServer _sim = null!;
    private Client _client = null!;

    public async Task InitializeAsync() => _client = new Client(_sim = await SimulatorServer.StartAsync());

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _sim.DisposeAsync();
    }

    [Fact]
    public async Task A_prewarm_and_follow_ups_chain_over_ids_that_only_the_socket_knows()
    {
        using var socket = await _client.ConnectAsync();
        await socket.CreateAsync("base", generate: false);
        var prewarm = await socket.UntilAsync();
        Assert.Equal(["response.created", "response.in_progress", "response.completed"], prewarm.Select(e => e.Type()));

        var first = await socket.AskAsync("one", prewarm[^1].Text("response.id"));
        await socket.CreateAsync("two", first);
        var second = await socket.UntilAsync();
        Assert.Contains($"You said: two. Items: 1. Anchor: {first}. Context: 4.", second[^1].Text("response.output.0.content.0.text"), StringComparison.Ordinal);
        Assert.DoesNotContain(second, e => e.TryGetProperty("stream_id", out _));

        using var another = await _client.ConnectAsync();
        await another.CreateAsync("three", second[^1].Text("response.id"));
        var error = Assert.Single(await another.UntilAsync());
        Assert.Equal(
            ("400", "previous_response_not_found", "previous_response_id"),
            (error.Text("status"), error.Text("error.code"), error.Text("error.param")));
        Assert.NotEmpty(await another.AskAsync("again"));
    }

    [Fact]
    public async Task Stored_ids_outlive_the_socket_and_only_the_latest_unstored_one_of_a_lane_is_kept()
    {
        using var socket = await _client.ConnectAsync();
        var stored = await socket.AskAsync("one", store: true);
        var old = await socket.AskAsync("two");
        await socket.AskAsync("three");
        await socket.CreateAsync("four", old);
        Assert.Equal("previous_response_not_found", (await socket.UntilAsync())[^1].Text("error.code"));

        using var another = await _client.ConnectAsync();
        Assert.NotEmpty(await another.AskAsync("five", stored));
        Assert.Equal("completed", (await _client.AskAsync("six", stored)).Text("status"));
    }

    [Fact]
    public async Task A_failed_continuation_costs_its_own_lane_the_anchor_but_a_fork_does_not()
    {
        using var socket = await _client.ConnectAsync();
        var anchor = await socket.AskAsync("one");
        _sim.Script(rule => rule.Times(2).Fails("server_error"));
        await socket.CreateAsync("fork", anchor, lane: "b");
        Assert.Equal("response.failed", (await socket.UntilAsync())[^1].Type());
        await socket.CreateAsync("same", anchor);
        Assert.Equal("response.failed", (await socket.UntilAsync())[^1].Type());
        await socket.CreateAsync("same", anchor);
        Assert.Equal("previous_response_not_found", (await socket.UntilAsync())[^1].Text("error.code"));
    }

    [Fact]
    public async Task Lanes_run_at_once_but_each_in_order()
    {
        _sim.Script(rule => rule.Once().Stalls(Position.Created));
        using var socket = await _client.ConnectAsync();
        await socket.CreateAsync("slow", lane: "a");
        await socket.UntilAsync("response.created");
        await socket.CreateAsync("next in a", lane: "a");
        await socket.CreateAsync("in b", lane: "b");
        var inB = await socket.UntilAsync();
        Assert.All(inB, e => Assert.Equal("b", e.Text("stream_id")));
        _sim.Release();
        var slow = await socket.UntilAsync();
        var next = await socket.UntilAsync();
        Assert.All(slow.Concat(next), e => Assert.Equal("a", e.Text("stream_id")));
        Assert.Contains("slow", slow[^1].Text("response.output.0.content.0.text"), StringComparison.Ordinal);
        Assert.Contains("next in a", next[^1].Text("response.output.0.content.0.text"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sixteen_turns_are_in_flight_and_more_wait()
    {
        _sim.Script(rule => rule.Stalls());
        using var socket = await _client.ConnectAsync();
        for (var lane = 0; lane < 20; lane++)
        {
            await socket.CreateAsync("x", lane: $"lane-{lane}");
        }

        await Json.EventuallyAsync(() => _sim.Stalled == 16 && _sim.Recorded.TurnFrames.Count() == 20);
        Assert.Equal(16, _sim.Account("tok1").InFlight);
    }

    [Fact]
    public async Task Bad_and_too_many_lanes_are_refused()
    {
        using var socket = await _client.ConnectAsync();
        await socket.CreateAsync("x", lane: "not valid!");
        Assert.Equal("invalid_stream_id", (await socket.UntilAsync())[^1].Text("error.code"));
        for (var lane = 0; lane < 32; lane++)
        {
            await socket.AskAsync("x", lane: $"lane-{lane}");
        }

        await socket.CreateAsync("x", lane: "one-too-many");
        var error = (await socket.UntilAsync())[^1];
        Assert.Equal(("400", "websocket_stream_limit_reached", "one-too-many"), (error.Text("status"), error.Text("error.code"), error.Text("stream_id")));
    }

    [Fact]
    public async Task A_steered_response_stops_and_a_successor_follows()
    {
        _sim.Script(rule => rule.Once().Stalls(Position.Delta(1)));
        using var socket = await _client.ConnectAsync();
        await socket.CreateAsync("one");
        var id = (await socket.UntilAsync("response.output_text.delta"))[0].Text("response.id");
        await socket.SendAsync(new { type = "response.steer", previous_response_id = id, input = "other way" });
        var stopped = await socket.UntilAsync();
        Assert.Equal(("response.steer.accepted", id), (stopped[0].Type(), stopped[0].Text("steer.previous_response_id")));
        Assert.Equal("steered", stopped[^1].Text("response.incomplete_details.reason"));
        var successor = await socket.UntilAsync();
        Assert.Contains($"You said: other way. Items: 1. Anchor: {id}.", successor[^1].Text("response.output.0.content.0.text"), StringComparison.Ordinal);

        await socket.SendAsync(new { type = "response.steer", previous_response_id = id, input = "too late" });
        Assert.Equal("response_not_found", (await socket.UntilAsync("response.steer.failed"))[^1].Text("error.code"));
    }

    [Fact]
    public async Task A_steer_waits_for_tool_results()
    {
        _sim.Script(rule => rule.Once().Calls(ToolCall.ExecCommand("ls")).Stalls(Position.Created));
        using var socket = await _client.ConnectAsync();
        await socket.CreateAsync("one");
        var id = (await socket.UntilAsync("response.created"))[0].Text("response.id");
        await socket.SendAsync(new { type = "response.steer", previous_response_id = id, input = "and this" });
        var pending = (await socket.UntilAsync("response.steer.pending"))[^1];
        Assert.Equal("function_call_output", pending.Text("required_input.0.type"));
        _sim.Release();
        await socket.UntilAsync("response.completed");
        await socket.CreateAsync("result", id);
        Assert.Contains("You said: and this. Items: 2.", (await socket.UntilAsync())[^1].Text("response.output.0.content.0.text"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Codex_events_and_handshake_headers_are_sent_on_request()
    {
        _sim.Script(rule => rule.OnUpgrade().Answer(answer => answer with { TurnState = "ts_0", Headers = new Dictionary<string, string> { ["x-models-etag"] = "e1" } }));
        _sim.Script(rule => rule.Answer(answer => answer with { TurnState = "ts_1", CodexRateLimit = 42 }));
        using var socket = await _client.ConnectAsync(options => options.DangerousDeflateOptions = new WebSocketDeflateOptions());
        Assert.Equal("e1", socket.Raw.HttpResponseHeaders!["x-models-etag"].Single());
        Assert.False(socket.Raw.HttpResponseHeaders!.ContainsKey("Sec-WebSocket-Extensions"));
        await socket.CreateAsync("x");
        var events = await socket.UntilAsync();
        Assert.Equal("42", events.Single(e => e.Type() == "codex.rate_limits").Text("rate_limits.primary.used_percent"));
        Assert.Equal("ts_1", events.Single(e => e.Type() == "response.metadata").Text("headers.x-codex-turn-state"));
    }

    [Fact]
    public async Task Error_frames_take_any_shape()
    {
        _sim.Script(rule => rule.Once().Errors(status: null, code: null, message: "No status."));
        _sim.Script(rule => rule.Once().Refuses(429, "rate_limit_exceeded", "Wait.", ("retry-after", "1")));
        _sim.Script(rule => rule.Once().Then(new ErrorStep { Flat = true, Code = "c", Message = "m" }));
        _sim.Script(rule => rule.Once().LosesAnchor(Position.Created));
        using var socket = await _client.ConnectAsync();
        List<string> frames = [];
        for (var i = 0; i < 4; i++)
        {
            await socket.CreateAsync("x");
            frames.Add((await socket.UntilAsync())[^1].GetRawText());
        }

        Assert.Equal("""{"type":"error","error":{"type":"invalid_request_error","message":"No status."}}""", frames[0]);
        Assert.Contains("\"headers\":{\"retry-after\":\"1\"}", frames[1], StringComparison.Ordinal);
        Assert.Equal("""{"type":"error","code":"c","message":"m","param":null,"sequence_number":0}""", frames[2]);
        Assert.Equal("""{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"Previous response with id 'none' not found.","param":"previous_response_id"}}""", frames[3]);
    }

    [Fact]
    public async Task Turns_that_are_left_open_are_finished_by_later_ones()
    {
        _sim.Script(rule => rule.Once().WithId("resp_inflight").Leaves(Position.Created));
        _sim.Script(rule => rule.Once()
            .Then(new ErrorStep { Status = 400, Code = "previous_response_not_found", Message = "lost", Continue = true })
            .Inserts("""{"type":"response.completed","response":{"id":"resp_inflight","status":"completed"}}""")
            .Leaves());
        using var socket = await _client.ConnectAsync();
        await socket.CreateAsync("one");
        await socket.CreateAsync("two");
        var events = await socket.UntilAsync("response.completed");
        Assert.Equal(["response.created", "error", "response.completed"], events.Select(e => e.Type()));
        Assert.Equal("resp_inflight", events[^1].Text("response.id"));
        Assert.NotEmpty(await socket.AskAsync("three"));
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(1008)]
    [InlineData(1011)]
    [InlineData(1012)]
    [InlineData(4000)]
    public async Task A_socket_is_closed_with_a_code_where_the_rule_says(int code)
    {
        _sim.Script(rule => rule.Closes(code, Position.Delta(1)));
        using var socket = await _client.ConnectAsync();
        await socket.CreateAsync("x");
        await socket.UntilAsync("response.output_text.delta");
        await Assert.ThrowsAsync<WebSocketException>(socket.ReceiveAsync);
        Assert.Equal(code, (int?)socket.Raw.CloseStatus);
        Assert.Equal(code, _sim.Recorded.Sockets.Single().ServerCloseCode);
    }

    [Fact]
    public async Task A_socket_is_cut_or_ended_without_a_close_frame()
    {
        _sim.Script(rule => rule.Once().Cuts(Position.Created));
        _sim.Script(rule => rule.Once().Ends(Position.Created));
        foreach (var _ in Enumerable.Range(0, 2))
        {
            using var socket = await _client.ConnectAsync();
            await socket.CreateAsync("x");
            await socket.UntilAsync("response.created");
            await Assert.ThrowsAnyAsync<WebSocketException>(socket.ReceiveAsync);
            Assert.Null(socket.Raw.CloseStatus);
        }
    }

    [Fact]
    public async Task An_idle_socket_is_closed_killed_or_sent_a_stale_error()
    {
        _sim.Script(rule => rule.Once().Errors(503, "server_error", after: Position.Terminal));
        using var socket = await _client.ConnectAsync();
        await socket.AskAsync("x");
        Assert.Equal("503", (await socket.ReceiveAsync()).Text("status"));
        await _sim.SendToSocketsAsync("""{"type":"keepalive"}""");
        Assert.Equal("keepalive", (await socket.ReceiveAsync()).Type());
        await _sim.CloseSocketsAsync(1001, "tok1");
        await Assert.ThrowsAsync<WebSocketException>(socket.ReceiveAsync);
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, socket.Raw.CloseStatus);

        using var another = await _client.ConnectAsync();
        await Json.EventuallyAsync(() => _sim.Account("tok1").OpenSockets >= 1);
        await another.AskAsync("x");
        _sim.Kill("tok1");
        await Assert.ThrowsAnyAsync<WebSocketException>(another.ReceiveAsync);
    }

    [Fact]
    public async Task A_handshake_is_refused_or_hangs()
    {
        _sim.Script(rule => rule.OnUpgrade().Once().Refuses(426, "upgrade_required", "Use HTTP.", ("x-why", "test")));
        _sim.Script(rule => rule.OnUpgrade().Once().Stalls());
        var refused = await Assert.ThrowsAsync<WebSocketException>(() => _client.ConnectAsync());
        Assert.Contains("426", refused.Message, StringComparison.Ordinal);
        var hanging = _client.ConnectAsync();
        await Json.EventuallyAsync(() => _sim.Stalled == 1);
        Assert.False(hanging.IsCompleted);
        _sim.Release();
        using var socket = await hanging;
        Assert.Equal(426, _sim.Recorded.Sockets.First().Status);
    }

    [Fact]
    public async Task Unknown_frames_are_ignored_and_everything_is_recorded()
    {
        using (var socket = await _client.ConnectAsync())
        {
            await socket.SendAsync(new { type = "response.processed", response_id = "resp_x" });
            await socket.AskAsync("x");
            await socket.Raw.CloseAsync(WebSocketCloseStatus.NormalClosure, null, default);
        }

        using (var socket = await _client.ConnectAsync())
        {
            await socket.AskAsync("x");
            socket.Raw.Abort();
        }

        await Json.EventuallyAsync(() => _sim.Recorded.Sockets.All(s => s.EndedAt is not null));
        var recorded = _sim.Recorded.Sockets.ToList();
        Assert.Equal(["response.processed", "response.create"], recorded[0].Received.Select(f => f.Type));
        Assert.Equal("response.completed", recorded[0].Sent.Last().Type);
        Assert.Equal((1000, false), (recorded[0].ClientCloseCode, recorded[0].ClientAborted));
        Assert.Equal((null, true), (recorded[1].ClientCloseCode, recorded[1].ClientAborted));
        Assert.Equal([1, 2], _sim.Recorded.TurnFrames.Select(f => f.Turn));
    }

    [Fact]
    public async Task Pings_are_sent_between_frames()
    {
        _sim.Script(rule => rule.Pings(Position.Created).Pings(Position.Delta(1)));
        using var socket = await _client.ConnectAsync();
        Assert.NotEmpty(await socket.AskAsync("x"));
        Assert.NotEmpty(await socket.AskAsync("y"));
    }
}

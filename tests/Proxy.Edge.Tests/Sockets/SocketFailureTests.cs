using System.Net.WebSockets;
using System.Text.Json.Nodes;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sockets;

public sealed class SocketFailureTests
{
    [Theory]
    [InlineData("cut")]
    [InlineData("eof")]
    [InlineData("close")]
    public async Task An_upstream_socket_that_ends_within_a_turn_costs_this_turn_only(string how)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => _ = how switch
        {
            "cut" => rule.Once().Cuts(Position.Delta(2)),
            "eof" => rule.Once().Ends(Position.Delta(2)),
            _ => rule.Once().Closes(1011, Position.Delta(2)),
        }));
        using (var socket = await edge.ConnectAsync())
        {
            await socket.CreateAsync();
            var events = (await socket.UntilTerminalAsync()).ConvertAll(text => JsonNode.Parse(text)!);
            var failed = events[^1];
            Assert.Equal(("response.failed", "stream_incomplete"), ((string?)failed["type"], (string?)failed["response"]!["error"]!["code"]));
            Assert.Equal((long)events[^2]["sequence_number"]! + 1, (long)failed["sequence_number"]!);
            Assert.Equal((string?)events[0]["response"]!["id"], (string?)failed["response"]!["id"]);
            Assert.Equal(how == "close", ((string?)failed["response"]!["error"]!["message"])!.Contains("close_code=1011", StringComparison.Ordinal));
            Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Single(edge.Continuity.Rows, row => row is { Status: "cut", UsageEstimated: true });
    }

    [Theory]
    [InlineData("cut", 502, "stream_incomplete")]
    [InlineData("stall", 504, "upstream_request_timeout")]
    public async Task Before_the_response_has_begun_it_is_an_error_frame_with_a_status(string how, int status, string code)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => _ = how == "cut" ? rule.Times(2).Cuts() : rule.Times(2).Stalls()), "Edge:KeepAliveSeconds=0.5", "Edge:CreatedSeconds=1");
        using (var socket = await edge.ConnectAsync())
        {
            SocketTurnTests.AssertError(await socket.TurnAsync(lane: "x"), status, code, "x");
            Assert.Equal("response.completed", (string?)(await socket.TurnAsync(lane: "x"))["type"]);
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    // An error frame and a response.failed of upstream end a turn like response.completed does.
    [Theory]
    [InlineData("error")]
    [InlineData("failed")]
    [InlineData("incomplete")]
    public async Task Upstreams_own_errors_pass_unchanged(string how)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => _ = how switch
        {
            "error" => rule.Once().Errors(400, "context_length_exceeded"),
            "failed" => rule.Once().Fails("usage_limit_reached", after: Position.Created),
            _ => rule.Once().StopsIncomplete("max_output_tokens", Position.Delta(1)),
        }));
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync();
        var received = await socket.UntilTerminalAsync();
        Assert.Equal(received, Assert.Single(edge.Sim.Recorded.Sockets).Sent.Select(frame => frame.Text));
        Assert.Equal(how == "incomplete" ? "incomplete" : "failed", (await edge.RowAsync()).Status);
        Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == (how == "failed" ? 1 : 0));
    }

    [Theory]
    [InlineData(401, 502)]
    [InlineData(403, 403)]
    [InlineData(429, 429)]
    [InlineData(500, 503)]
    [InlineData(301, 503)]
    public async Task A_client_is_let_in_although_upstream_refuses_the_upgrade(int refusal, int told)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnUpgrade().Times(2).Refuses(refusal, refusal == 429 ? "usage_limit_reached" : "server_error")));
        using (var socket = await edge.ConnectAsync())
        {
            Assert.Equal(101, socket.Status);
            var frame = await socket.TurnAsync();
            Assert.Equal(("error", told), ((string?)frame["type"], frame["status"]!.GetValue<int>()));
            Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Single(edge.Continuity.Rows, row => row.Status == "refused");
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == (refusal is 429 ? 1 : 0));
    }

    [Fact]
    public async Task An_upgrade_that_hangs_is_given_up()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnUpgrade().Times(2).Stalls()), "Edge:ConnectSeconds=1");
        using (var socket = await edge.ConnectAsync())
        {
            Assert.Equal(101, socket.Status);
            SocketTurnTests.AssertError(await socket.TurnAsync(), 502, "upstream_unavailable");
            Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
        }
        edge.Sim.Release();
        await edge.NothingIsLeftAsync(turns: 2);
    }

    [Fact]
    public async Task Without_an_account_that_speaks_it_the_upgrade_is_refused_for_good()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("a", webSockets: false));
        using var socket = await edge.ConnectAsync();
        Assert.Equal(426, socket.Status);
    }

    [Theory]
    [InlineData("sk-none", null, 401)]
    [InlineData("sk-1", "https://evil.example", 403)]
    [InlineData("sk-1", "null", 403)]
    public async Task Strangers_are_not_let_in(string key, string? origin, int status)
    {
        await using var edge = await RunningEdge.StartAsync();
        using var socket = await edge.ConnectAsync(key, origin is null ? [] : [("Origin", origin)]);
        Assert.Equal(status, socket.Status);
        Assert.Empty(edge.Sim.Recorded.All);
    }

    [Fact]
    public async Task The_headers_of_upstreams_101_reach_the_client()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnUpgrade().Answer(answer => answer with
        {
            TurnState = "state-1",
            Headers = new Dictionary<string, string> { ["x-models-etag"] = "\"e\"", ["openai-model"] = "gpt-5.6", ["x-reasoning-included"] = "true", ["set-cookie"] = "a=b" },
        })));
        using var socket = await edge.ConnectAsync();
        Assert.Equal(("state-1", "\"e\"", "gpt-5.6", "true", null),
            (socket.Header("x-codex-turn-state"), socket.Header("x-models-etag"), socket.Header("openai-model"), socket.Header("x-reasoning-included"), socket.Header("set-cookie")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_idle_upstream_that_dies_takes_the_client_along_if_ids_lived_on_it(bool store)
    {
        await using var edge = await RunningEdge.StartAsync();
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync($$"""{"type":"response.create","model":"gpt-5.6","input":"x","store":{{(store ? "true" : "false")}}}""");
            await socket.UntilTerminalAsync();
            await Eventually.TrueAsync(() => edge.Leases.Count == 0);
            edge.Sim.Kill();
            if (store)
            {
                Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
                return;
            }
            Assert.Null(await socket.ReceiveAsync());
            Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, socket.Raw.CloseStatus);
        }
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Theory]
    [InlineData("start", false)]
    [InlineData("delta:1", false)]
    [InlineData("delta:1", true)]
    public async Task A_client_that_leaves_takes_its_turns_with_it(string after, bool closes)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Parse(after))));
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync();
        await socket.CreateAsync("queued");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        if (closes)
        {
            await socket.Raw.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        }
        else
        {
            socket.Raw.Abort();
        }
        await edge.Sim.WhenAsync(sim => sim.Recorded.Sockets.Single().ClientAborted);
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.All(edge.Continuity.Rows, row => Assert.Equal("cancelled", row.Status));
    }

    [Fact]
    public async Task A_client_that_leaves_while_it_waits_for_a_slot_leaves_nothing()
    {
        var admission = new TaskCompletionSource<AdmissionResponse?>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var edge = await RunningEdge.StartAsync();
        using (var socket = await edge.ConnectAsync())
        {
            edge.Accounts.OnAdmit = _ => admission.Task;
            await socket.CreateAsync();
            await Eventually.TrueAsync(() => edge.Accounts.Asked.Any(request => request.Purpose == AdmissionPurpose.Turn));
        }
        Assert.Equal("cancelled", (await edge.RowAsync()).Status);
        admission.SetResult(null);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Theory]
    [InlineData(nameof(RefusalReason.UnknownKey), 401, "invalid_api_key")]
    [InlineData(nameof(RefusalReason.AllCooling), 429, "usage_limit_reached")]
    [InlineData(nameof(RefusalReason.AtCapacity), 429, "concurrency_limit_reached")]
    [InlineData(nameof(RefusalReason.Recovering), 503, "admission_unavailable")]
    public async Task A_refused_turn_is_an_error_frame_and_the_socket_lives_on(string reason, int status, string code)
    {
        await using var edge = await RunningEdge.StartAsync();
        using (var socket = await edge.ConnectAsync())
        {
            var admit = edge.Accounts.OnAdmit;
            edge.Accounts.Refuses(Enum.Parse<RefusalReason>(reason));
            SocketTurnTests.AssertError(await socket.TurnAsync(), status, code);
            edge.Accounts.OnAdmit = admit;
            Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    [Fact]
    public async Task A_turn_whose_slot_is_lost_is_stopped_and_the_socket_lives_on()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Stalls(Position.Delta(1))));
        using (var socket = await edge.ConnectAsync())
        {
            await socket.CreateAsync();
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            edge.Accounts.Lost[edge.Accounts.Held.Keys.Single()] = true;
            Assert.Equal("stream_incomplete", (string?)JsonNode.Parse((await socket.UntilTerminalAsync())[^1])!["response"]!["error"]!["code"]);
            await edge.Sim.WhenAsync(sim => sim.Recorded.Sockets.First().ClientAborted);
            Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    [Fact]
    public async Task A_turn_that_has_waited_too_long_on_its_lane_ends_like_any_other()
    {
        await using var edge = await RunningEdge.StartAsync(
            edge => edge.Sim.Script(rule => rule.Deltas(100_000, 4).Paced(TimeSpan.FromMilliseconds(5))), "Edge:KeepAliveSeconds=0.5", "Edge:ConnectSeconds=1", "Edge:CreatedSeconds=1", "Edge:IdleSeconds=1", "Edge:TurnSeconds=1");
        using (var socket = await edge.ConnectAsync())
        {
            await socket.CreateAsync();
            await socket.CreateAsync();
            Assert.Contains("upstream_request_timeout", (await socket.UntilTerminalAsync())[^1], StringComparison.Ordinal);
            Assert.Contains("upstream_request_timeout", (await socket.UntilTerminalAsync())[^1], StringComparison.Ordinal);
            edge.Sim.ClearScript();
            Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
        }
        await edge.NothingIsLeftAsync(turns: 3);
    }

    [Fact]
    public async Task An_event_that_is_no_unicode_is_relayed_like_any_other()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Sim.Script(rule => rule.Writes("{\"\\ud800\\ud800\":1,\"type\":\"\\ud800.x\",\"stream_id\":\"\\ud800\"}", Position.Created));
        });
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync(lane: "a");
        while (await socket.ReceiveAsync() is { } text && !text.Contains("response.completed", StringComparison.Ordinal))
        {
        }
        Assert.Equal("success", (await edge.RowAsync()).Status);
    }

    [Fact]
    public async Task An_edge_that_stops_says_goodbye()
    {
        await using var edge = await RunningEdge.StartAsync();
        using var socket = await edge.ConnectAsync();
        await socket.TurnAsync();
        var stopping = edge.StopAsync();
        Assert.Null(await socket.ReceiveAsync());
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, socket.Raw.CloseStatus);
        await stopping;
    }
}

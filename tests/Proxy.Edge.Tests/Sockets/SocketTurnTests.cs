using System.Net.WebSockets;
using System.Text.Json.Nodes;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sockets;

public sealed class SocketTurnTests
{
    [Fact]
    public async Task A_prewarm_and_its_follow_up_share_one_upstream_socket_and_every_byte()
    {
        await using var edge = await RunningEdge.StartAsync();
        var sent = new List<string>();
        var received = new List<string>();
        using (var socket = await edge.ConnectAsync())
        {
            sent.Add("{ \"type\":\"response.create\",\r\n \"model\":\"gpt-5.6\", \"store\":false,\"stream\":true, \"generate\":false,\"input\":[], \"unknown\":{\"ü\":1e5} }");
            await socket.SendAsync(sent[0]);
            received.AddRange(await socket.UntilTerminalAsync());
            var id = (string?)JsonNode.Parse(received[^1])!["response"]!["id"];
            sent.Add(EdgeSocket.Create("next \\u00fc 😀", more: $",\"previous_response_id\":\"{id}\""));
            await socket.SendAsync(sent[1]);
            received.AddRange(await socket.UntilTerminalAsync());
        }
        var upstream = Assert.Single(edge.Sim.Recorded.Sockets);
        Assert.Equal(sent, upstream.Received.Select(frame => frame.Text));
        Assert.Equal(received, upstream.Sent.Select(frame => frame.Text));
        Assert.Contains("Anchor: resp_", received[^1], StringComparison.Ordinal);
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.All(edge.Continuity.Rows, row => Assert.Equal(("success", "websocket", false), (row.Status, row.Surface, row.Stored)));
        Assert.Equal(edge.Continuity.Rows.Select(row => row.RequestId).Order(), edge.Continuity.Published.Select(published => published.Id.Id).Order());
    }

    // Upstream cuts a socket at an hour, also within a turn.
    [Fact]
    public async Task A_socket_that_is_old_and_idle_makes_room_for_another_and_keeps_what_lives_on_it()
    {
        await using var edge = await RunningEdge.StartAsync(edge => { }, "Edge:RetireSocketSeconds=0.05");
        using (var socket = await edge.ConnectAsync())
        {
            var local = await socket.AnchorAsync(store: false);
            await Task.Delay(TimeSpan.FromSeconds(0.06), TimeProvider.System);
            await socket.StillWorksAsync();
            Assert.Equal(2, edge.SocketsUsedAt("a"));
            // The turn before it lives on the first.
            await socket.SendAsync(Asking.Frame("next", anchor: local, store: false));
            Assert.Contains($"Anchor: {local}", (await socket.UntilTerminalAsync())[^1], StringComparison.Ordinal);
            await Task.Delay(TimeSpan.FromSeconds(0.06), TimeProvider.System);
            // Nothing lives on the second: it is closed.
            await socket.StillWorksAsync();
            Assert.Equal(3, edge.SocketsUsedAt("a"));
            await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 2);
        }
        await edge.NothingIsLeftAsync(turns: 4);
    }

    [Fact]
    public async Task Events_that_are_no_part_of_a_turn_pass_too()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule
            .Writes("not json", Position.Created).Writes("{\"type\":\"codex.rate_limits\"}", Position.Created).Then(new RawStep("binary") { Binary = true, After = Position.Created })));
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync();
        var seen = new List<string?>();
        while (seen.LastOrDefault()?.Contains("response.completed", StringComparison.Ordinal) != true)
        {
            seen.Add(await socket.ReceiveAsync());
        }
        // Clients take a binary frame for an error of the protocol.
        Assert.DoesNotContain("binary", seen);
        Assert.Contains("not json", seen);
        Assert.Contains("{\"type\":\"codex.rate_limits\"}", seen);
        await edge.Sim.SendToSocketsAsync("{\"type\":\"idle\"}");
        Assert.Equal("{\"type\":\"idle\"}", await socket.ReceiveAsync());
    }

    [Fact]
    public async Task Frames_that_are_no_turns_go_where_the_turns_go()
    {
        await using var edge = await RunningEdge.StartAsync();
        using var socket = await edge.ConnectAsync();
        string[] frames = ["{\"type\":\"response.processed\",\"response_id\":\"x\"}", "{ \"type\" : \"response.steer\", \"x\":1 }", "{}"];
        foreach (var frame in frames)
        {
            await socket.SendAsync(frame);
        }
        await socket.TurnAsync();
        Assert.Equal(frames, Assert.Single(edge.Sim.Recorded.Sockets).Received.Take(3).Select(frame => frame.Text));
        Assert.Single(edge.Accounts.Asked, request => request.Purpose == AdmissionPurpose.Turn);
    }

    [Theory]
    [InlineData("[]", "invalid_json")]
    [InlineData("{", "invalid_json")]
    [InlineData("{\"type\":\"response.create\",\"stream_id\":\"a b\"}", "invalid_stream_id", "a b")]
    [InlineData("{\"type\":\"response.create\",\"stream_id\":\"a\",\"stream_id\":\"b\"}", "invalid_value")]
    public async Task A_frame_that_cannot_be_read_is_answered_and_the_socket_lives_on(string frame, string code, string? lane = null)
    {
        await using var edge = await RunningEdge.StartAsync();
        using var socket = await edge.ConnectAsync();
        await socket.SendAsync(frame);
        AssertError(await socket.UntilAsync("error"), 400, code, lane);
        Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
    }

    [Fact]
    public async Task Binary_and_oversized_frames_are_answered_and_the_socket_lives_on()
    {
        await using var edge = await RunningEdge.StartAsync(null, "Edge:MaxRequestBytes=65536", "Edge:MaxDecompressedBytes=65536");
        using var socket = await edge.ConnectAsync();
        await socket.SendAsync("{}", WebSocketMessageType.Binary);
        AssertError(await socket.UntilAsync("error"), 400, "invalid_frame");
        await socket.SendAsync(EdgeSocket.Create(new string('x', 200_000)));
        AssertError(await socket.UntilAsync("error"), 400, "payload_too_large");
        Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
    }

    [Fact]
    public async Task The_owner_is_acknowledged_before_the_terminal_event_leaves()
    {
        var publication = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.OnPublish = _ => publication.Task, "Edge:PublicationWaitMs=10000");
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync();
        await socket.UntilAsync("response.output_item.done");
        var terminal = socket.UntilTerminalAsync();
        await edge.Sim.WhenAsync(sim => sim.Account("a").InFlight == 0);
        Assert.False(terminal.IsCompleted);
        publication.SetResult(204);
        await terminal;
        Assert.Contains("\"status\":\"success\"", edge.Spooled() + string.Concat(edge.Continuity.Rows.Select(row => $"\"status\":\"{row.Status}\"")), StringComparison.Ordinal);
        Assert.Single(edge.Continuity.Published);
    }

    [Fact]
    public async Task A_turn_is_settled_only_when_upstream_is_done_with_it()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Delta(1))));
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync();
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        Assert.Equal((1, 1), (edge.Leases.Count, edge.Accounts.Slots));
        edge.Sim.Release();
        await socket.UntilTerminalAsync();
        await Eventually.TrueAsync(() => edge.Leases.Count == 0 && edge.Accounts.Slots == 0);
    }

    [Fact]
    public async Task Pings_are_answered_while_upstream_is_silent()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls()));
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer sk-1");
        // The socket is aborted if a ping stays unanswered.
        socket.Options.KeepAliveInterval = TimeSpan.FromMilliseconds(20);
        socket.Options.KeepAliveTimeout = TimeSpan.FromMilliseconds(500);
        await socket.ConnectAsync(new Uri($"ws://{edge.Address.Authority}/v1/responses"), CancellationToken.None);
        using var client = new EdgeSocket(socket);
        await client.CreateAsync();
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        using var silence = new FakePause(TimeSpan.FromSeconds(1));
        var message = client.ReceiveAsync();
        await Task.WhenAny(silence.Over, message);
        Assert.False(message.IsCompleted);
        edge.Sim.Release();
        Assert.Contains("response.created", await message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pings_of_upstream_are_answered_between_turns()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Pings(Position.Terminal)));
        using var socket = await edge.ConnectAsync();
        await socket.TurnAsync();
        Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
        Assert.Single(edge.Sim.Recorded.Sockets);
    }

    internal static void AssertError(JsonNode frame, int status, string code, string? lane = null) =>
        Assert.Equal(("error", status, code, lane), ((string?)frame["type"], frame["status"]!.GetValue<int>(), (string?)frame["error"]!["code"], (string?)frame["stream_id"]));

    /// <summary>The one thing that can only be seen by letting time pass: that nothing happens.</summary>
    private sealed class FakePause(TimeSpan length) : IDisposable
    {
        private readonly CancellationTokenSource _stop = new();

        public Task Over => Task.Delay(length, TimeProvider.System, _stop.Token);

        public void Dispose() => _stop.Dispose();
    }
}

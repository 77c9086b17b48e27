using System.Net;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Proxy.Edge.Tests.Sockets;
using ServiceDefaults.Http;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Lifecycle;

/// <summary>An edge that is to stop: what runs may end, what does not end is ended, and nobody is left without an answer.</summary>
public sealed class DrainTests
{
    [Fact]
    public async Task A_turn_on_a_socket_ends_by_itself_and_then_the_socket_is_closed()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Delta(1))));
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync();
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        var stopping = edge.StopAsync();
        edge.Sim.Release();
        Assert.Equal("response.completed", (string?)JsonNode.Parse((await socket.UntilTerminalAsync())[^1])!["type"]);
        Assert.Null(await socket.ReceiveAsync());
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, socket.Raw.CloseStatus);
        await socket.Raw.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        await stopping;
        Assert.Equal("success", Assert.Single(edge.Continuity.Rows).Status);
    }

    [Fact]
    public async Task A_turn_that_does_not_end_is_ended_and_told()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Delta(1))), "Drain:Seconds=1");
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync();
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        using var response = await edge.PostAsync(RunningEdge.Body());
        await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
        var stopping = edge.StopAsync();

        var failed = JsonNode.Parse((await socket.UntilTerminalAsync())[^1])!;
        Assert.Equal(("response.failed", "stream_incomplete"), ((string?)failed["type"], (string?)failed["response"]!["error"]!["code"]));
        Assert.Null(await socket.ReceiveAsync());
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, socket.Raw.CloseStatus);
        await socket.Raw.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        Assert.Equal("stream_incomplete", (string?)Sse.Read(await response.Content.ReadAsStringAsync())[^1]["response"]!["error"]!["code"]);
        await stopping;
        // Nothing is lost from the log, and both slots are free.
        Assert.Equal(["cut", "cut"], edge.Continuity.Rows.DistinctBy(row => row.Id).Select(row => row.Status));
        Assert.Equal(0, edge.Accounts.Slots);
    }

    [Fact]
    public async Task A_draining_edge_is_not_ready_and_takes_no_turn_on_an_old_socket()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Sim.Script(rule => rule.Once().Stalls(Position.Delta(1)));
        });
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync(lane: "a");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        Assert.Equal(HttpStatusCode.OK, (await edge.Http.GetAsync("/health")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await edge.Http.PostAsync(edge.Origin + "/internal/drain", null)).StatusCode);
        using var drain = new HttpRequestMessage(HttpMethod.Post, edge.Origin + "/internal/drain") { Headers = { { InternalToken.Header, FakeService.Token } } };
        Assert.Equal(HttpStatusCode.Accepted, (await edge.Http.SendAsync(drain)).StatusCode);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await edge.Http.GetAsync("/health")).StatusCode);
        await socket.CreateAsync(lane: "b");
        SocketTurnTests.AssertError(JsonNode.Parse((await socket.UntilTerminalAsync("b"))[^1])!, 503, "stream_incomplete", "b");
        edge.Sim.Release();
        Assert.Equal("response.completed", (string?)JsonNode.Parse((await socket.UntilTerminalAsync("a"))[^1])!["type"]);
        Assert.Null(await socket.ReceiveAsync());
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, socket.Raw.CloseStatus);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task An_idle_socket_is_closed_at_once()
    {
        await using var edge = await RunningEdge.StartAsync();
        using var socket = await edge.ConnectAsync();
        await socket.TurnAsync();
        var stopping = edge.StopAsync();
        Assert.Null(await socket.ReceiveAsync());
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, socket.Raw.CloseStatus);
        await socket.Raw.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        await stopping;
    }
}

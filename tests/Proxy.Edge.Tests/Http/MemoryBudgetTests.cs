using System.Net.WebSockets;
using System.Text.Json.Nodes;
using Proxy.Edge.Downstream;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Http;

/// <summary>What requests in flight take is bounded, in all and for each key.</summary>
public sealed class MemoryBudgetTests
{
    private static readonly string[] Small = ["Edge:MemoryBytes=8388608", "Edge:MaxRequestBytes=1048576", "Edge:MaxDecompressedBytes=1048576", "Sessions:Mode=off"];

    [Fact]
    public async Task Beyond_its_share_a_key_is_told_to_come_back_and_others_are_served()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "held" }).Stalls()), Small);
        var budget = (MemoryBudget)edge.Services.GetService(typeof(MemoryBudget))!;
        var held = new List<Task<HttpResponseMessage>>();
        // A request of 900 kB is read into a buffer of a megabyte; the key may have four.
        while (budget.Of("key-1").Taken < (3 << 20))
        {
            held.Add(edge.PostAsync(Large("held")));
            await edge.Sim.WhenAsync(sim => sim.Stalled == held.Count);
        }
        using var refused = await edge.PostAsync(Large("more"));
        Assert.Equal((503, TimeSpan.FromSeconds(1)), ((int)refused.StatusCode, refused.Headers.RetryAfter?.Delta));
        Assert.Equal("server_is_overloaded", JsonNode.Parse(await refused.Content.ReadAsStringAsync())!.Code());
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame(new string('x', 900_000)));
            Assert.Equal(("server_is_overloaded", 503), JsonNode.Parse((await socket.UntilTerminalAsync())[^1])! is var told ? (told.Code(), (int)told["status"]!) : default);
            // What is small costs nothing.
            await socket.StillWorksAsync();
        }
        using var other = await edge.ConnectAsync("sk-2");
        await other.SendAsync(Asking.Frame(new string('x', 900_000)));
        Assert.Equal("response.completed", JsonNode.Parse((await other.UntilTerminalAsync())[^1])!.Type());

        edge.Sim.Release();
        foreach (var response in held)
        {
            using var served = await response;
            Assert.Contains("response.completed", await served.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
        await Eventually.TrueAsync(() => budget.All.Taken == 0);
        Assert.Equal(200, (await edge.AskAsync(Large("again"))).Status);
    }

    // Minutes may pass before it ends, and nothing of what was sent is needed again.
    [Theory]
    [InlineData("http", "off")]
    [InlineData("http", "auto")]
    [InlineData("websocket", "off")]
    public async Task A_turn_whose_response_has_begun_has_given_its_bytes_back(string surface, string sessions)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Created)), [.. Small[..3], $"Sessions:Mode={sessions}"]);
        var budget = (MemoryBudget)edge.Services.GetService(typeof(MemoryBudget))!;
        using var socket = surface == "websocket" ? await edge.ConnectAsync() : null;
        var response = socket is null ? edge.PostAsync(Large("held", store: false), headers: ("thread-id", "held")) : null;
        if (socket is not null)
        {
            await socket.SendAsync(Asking.Frame(new string('x', 900_000)));
        }
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await Eventually.TrueAsync(() => budget.Of("key-1").Taken == 0);
        Assert.Equal(surface == "websocket" || sessions == "auto" ? 1 : 0, edge.SocketsUsedAt("a"));
        edge.Sim.Release();
        var end = socket is null ? await (await response!).Content.ReadAsStringAsync() : (await socket.UntilTerminalAsync())[^1];
        Assert.Contains("response.completed", end, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_is_cut_within_a_frame_leaves_nothing_of_it()
    {
        await using var edge = await RunningEdge.StartAsync(null, Small);
        var budget = (MemoryBudget)edge.Services.GetService(typeof(MemoryBudget))!;
        using var socket = await edge.ConnectAsync();
        await socket.Raw.SendAsync(new byte[900_000], WebSocketMessageType.Text, endOfMessage: false, CancellationToken.None);
        await Eventually.TrueAsync(() => budget.All.Taken > 0);
        // It does not answer the edge's Close frame.
        await edge.StopAsync();
        Assert.Equal(0, budget.All.Taken);
    }

    // A frame is a copy of the body; a socket's other turns, and other keys, are not to pay for it.
    [Fact]
    public async Task Where_a_key_has_no_room_for_a_frame_its_turn_goes_over_plain_HTTP()
    {
        await using var edge = await RunningEdge.StartAsync(
            edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "held" }).Stalls()), ["Edge:MemoryBytes=6000000", .. Small[1..3]]);
        var held = edge.PostAsync(Large("held", store: false), headers: ("thread-id", "held"));
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        using var served = await edge.PostAsync(Large("another", store: false), headers: ("thread-id", "another"));
        Assert.Contains("response.completed", await served.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal((1, 1), (edge.FramesAt("a").Count, edge.BodiesAt("a").Count));
        edge.Sim.Release();
        (await held).Dispose();
        // The socket that it had taken for its frame is free again: there is no other for the turn that comes.
        using var next = await edge.PostAsync(RunningEdge.Body(more: ",\"store\":false"), headers: ("thread-id", "another"));
        Assert.Contains("response.completed", await next.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal((2, 2), (edge.FramesAt("a").Count, edge.HandshakesAt("a")));
    }

    private static string Large(string text, bool store = true) =>
        $$"""{"model":"{{RunningEdge.Model}}","stream":true,"store":{{(store ? "true" : "false")}},"input":"{{text}} {{new string('x', 900_000)}}"}""";
}

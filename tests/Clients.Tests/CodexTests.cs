using System.Text.Json.Nodes;
using Simulator.Recording;
using Simulator.Scripts;

namespace Clients.Tests;

/// <summary>The real Codex CLI through the running system, over both of its transports.</summary>
[Collection(ClientCollection.Name)]
public sealed class CodexTests(ClientSystem system) : IDisposable
{
    public void Dispose() => system.Simulator.ClearScript();

    [NeedsNpmFact]
    public async Task Two_turns_over_WebSocket()
    {
        using var codex = await Codex.CreateAsync(system.BaseAddress, overWebSocket: true);
        await AssertTwoTurnsAsync(codex);
        Assert.True(SocketsSince(0).Count >= 2);
    }

    [NeedsNpmFact]
    public async Task Two_turns_over_HTTP()
    {
        using var codex = await Codex.CreateAsync(system.BaseAddress, overWebSocket: false);
        var before = system.Simulator.Recorded.Sockets.Count();
        await AssertTwoTurnsAsync(codex);
        // Codex lets upstream store nothing and names its thread: both turns are carried over its session's socket.
        Assert.Single(SocketsSince(before));
    }

    [NeedsNpmFact]
    public Task A_tool_call_over_WebSocket() => AssertToolCallAsync(overWebSocket: true);

    [NeedsNpmFact]
    public Task A_tool_call_over_HTTP() => AssertToolCallAsync(overWebSocket: false);

    [NeedsNpmFact]
    public async Task Several_turns_of_a_thread_share_one_socket_and_send_only_what_is_new()
    {
        using var codex = await Codex.CreateAsync(system.BaseAddress, overWebSocket: true);
        var before = system.Simulator.Recorded.Sockets.Count();
        var (server, thread) = await CodexAppServer.StartAsync(codex);
        await using (server)
        {
            for (var turn = 0; turn < 3; turn++)
            {
                Assert.Contains($"You said: turn number {turn}.", await server.TurnAsync(thread, $"turn number {turn}"), StringComparison.Ordinal);
            }
        }
        var socket = Assert.Single(SocketsSince(before));
        var frames = socket.Received.Where(frame => frame.Type == "response.create").Select(frame => JsonNode.Parse(frame.Text)!).ToList();
        Assert.Equal(4, frames.Count);
        Assert.False((bool)frames[0]["generate"]!);
        for (var turn = 1; turn < frames.Count; turn++)
        {
            Assert.Equal(socket.ResponseIds[turn - 1], (string?)frames[turn]["previous_response_id"]);
        }
        Assert.Equal([1, 1], frames.Skip(2).Select(frame => frame["input"]!.AsArray().Count));
    }

    [NeedsNpmFact]
    public Task A_compaction_over_WebSocket() => AssertCompactionAsync(overWebSocket: true);

    [NeedsNpmFact]
    public Task A_compaction_over_HTTP() => AssertCompactionAsync(overWebSocket: false);

    private async Task AssertTwoTurnsAsync(Codex codex)
    {
        Assert.Contains("You said: say hello.", await codex.ExecAsync("say hello"), StringComparison.Ordinal);
        var second = await codex.ResumeAsync("second turn");
        Assert.Contains("You said: second turn.", second, StringComparison.Ordinal);
    }

    private async Task AssertToolCallAsync(bool overWebSocket)
    {
        using var codex = await Codex.CreateAsync(system.BaseAddress, overWebSocket);
        system.Simulator.Script(rule => rule
            .When(when => when with { Contains = "count the answer", Prewarm = false }).Once()
            .Calls(ToolCall.ExecCommand("echo tool-$((40+2))")));
        var said = await codex.ExecAsync("count the answer");
        Assert.True(said.Contains("tool-42", StringComparison.Ordinal), said);
    }

    // Codex compacts remotely only with a provider of this name: the last input item is then a compaction_trigger.
    private async Task AssertCompactionAsync(bool overWebSocket)
    {
        using var codex = await Codex.CreateAsync(system.BaseAddress, overWebSocket, providerName: "OpenAI");
        var (server, thread) = await CodexAppServer.StartAsync(codex);
        await using (server)
        {
            await server.TurnAsync(thread, "before it");
            await server.CompactAsync(thread);
            Assert.Contains("You said: after it.", await server.TurnAsync(thread, "after it"), StringComparison.Ordinal);
        }
        // What came out of the compaction goes back to where it was made.
        var last = system.Front.Exchanges.SelectMany(exchange => exchange.ClientFrames.Append(System.Text.Encoding.UTF8.GetString(exchange.RequestBody))).Last(body => body.Contains("after it", StringComparison.Ordinal));
        Assert.Contains("\"type\":\"compaction\"", last, StringComparison.Ordinal);
        Assert.Contains("encrypted_content", last, StringComparison.Ordinal);
    }

    private IReadOnlyList<Exchange> SocketsSince(int count) => [.. system.Simulator.Recorded.Sockets.Skip(count)];
}

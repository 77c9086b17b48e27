using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>One frame may yield two responses; the successor of a steered response belongs to its lane.</summary>
public sealed class SteeringTests
{
    [Theory]
    [InlineData(true, "x")]
    [InlineData(false, "x")]
    [InlineData(false, null)]
    public async Task A_successor_is_a_turn_of_its_own(bool lanes, string? lane)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: lanes);
            edge.Sim.Script(rule => rule.Turn(1).Answer(answer => answer with { InputTokens = 11 }).Stalls(Position.Delta(1)));
            edge.Sim.Script(rule => rule.Turn(2).Answer(answer => answer with { InputTokens = 22 }).Stalls(Position.Delta(1)));
        });
        string first, second;
        using (var socket = await edge.ConnectAsync(headers: ("thread-id", "t")))
        {
            first = await SteerAsync(edge, socket, lane);
            second = (await socket.UntilAsync("response.created")).Id()!;
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);

            // The lane is the successor's: what is asked for meanwhile waits, other lanes do not.
            await socket.SendAsync(Asking.Frame("next", lane));
            await socket.SendAsync(Asking.Frame("elsewhere", "y"));
            Assert.Contains("elsewhere", (await socket.UntilTerminalAsync("y"))[^1], StringComparison.Ordinal);
            Assert.DoesNotContain(edge.FramesAt("a"), frame => frame.Contains("\"next\"", StringComparison.Ordinal));
            edge.Sim.Release();
            var ended = await socket.UntilAsync("response.completed");
            Assert.Equal((second, lane), (ended.Id(), ended.Lane()));
            Assert.Contains("You said: next.", (await socket.UntilTerminalAsync(lane))[^1], StringComparison.Ordinal);
            await socket.StillWorksAsync(lane);
        }
        await edge.NothingIsLeftAsync(turns: 5);
        var rows = edge.Continuity.Rows.ToDictionary(row => row.RequestId!);
        Assert.Equal(("incomplete", 11), (rows[first].Status, rows[first].InputTokens!.Value));
        Assert.Equal(("success", 22), (rows[second].Status, rows[second].InputTokens!.Value));
        Assert.Equal(rows[first].SessionId, rows[second].SessionId);
        Assert.Equal([11, 22], edge.Accounts.Settled.Select(turn => turn.InputTokens).Where(tokens => tokens is 11 or 22).Order());
        Assert.Equal("acc-a", edge.Continuity.OwnerOf(second)!.AccountId);
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("1011")]
    public async Task A_successor_that_breaks_fails_under_its_own_id(string how)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => rule.Turn(1).Stalls(Position.Delta(1)));
            edge.Sim.Script(rule => rule.Turn(2).Breaks(how, Position.Delta(1)));
        });
        using (var socket = await edge.ConnectAsync())
        {
            await SteerAsync(edge, socket, null);
            Told.Failed((await socket.UntilTerminalAsync()).ConvertAll(text => JsonNode.Parse(text)!), "stream_incomplete", 502);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 3);
        Assert.Equal(["cut", "incomplete", "success"], edge.Continuity.Rows.Select(row => row.Status).Order());
    }

    // A follow-up of the successor finds it like any other anchor.
    [Fact]
    public async Task A_successor_can_be_followed_up()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").Turn(1).Stalls(Position.Delta(1)));
        });
        using (var socket = await edge.ConnectAsync())
        {
            await SteerAsync(edge, socket, null);
            var successor = (await socket.UntilAsync("response.completed")).Id();
            Told.Completed(await socket.AskAsync(Asking.Frame("next", store: false, anchor: successor)));
        }
        await edge.NothingIsLeftAsync(turns: 3, "a", "b");
        Assert.Equal(1, edge.SocketsUsedAt("a"));
    }

    /// <summary>Begins a response, steers it, and returns its id when it has ended as steered.</summary>
    private static async Task<string> SteerAsync(RunningEdge edge, EdgeSocket socket, string? lane)
    {
        await socket.SendAsync(Asking.Frame("first", lane, store: false));
        var id = (await socket.UntilAsync("response.created")).Id()!;
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await socket.SendAsync(
            $$$"""{"type":"response.steer","previous_response_id":"{{{id}}}","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"turn left"}]}]}""");
        await socket.UntilAsync("response.steer.accepted");
        var steered = await socket.UntilAsync("response.incomplete");
        Assert.Equal((id, "steered"), (steered.Id(), (string?)steered["response"]!["incomplete_details"]!["reason"]));
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Any(row => row.RequestId == id));
        return id;
    }
}

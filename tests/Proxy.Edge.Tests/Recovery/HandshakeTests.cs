using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Upgrades that upstream refuses to a turn.</summary>
public sealed class HandshakeTests
{
    // The same at the handshake.
    [Theory]
    [InlineData(false, "response.completed", null)]
    [InlineData(true, "error", "upstream_unavailable")]
    public async Task A_handshake_that_is_refused_for_quota_counts_the_same(bool followUp, string type, string? code)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").OnUpgrade().Refuses(429, "usage_limit_reached", "limit", ("retry-after", "30")));
            edge.Continuity.Own("resp_1", "a");
        });
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(Asking.Frame(anchor: followUp ? "resp_1" : null));
            Assert.Equal((type, code), (events[^1].Type(), events[^1].Code()));
            Assert.Empty(edge.FramesAt("a"));
            Assert.Equal(followUp ? 0 : 1, edge.FramesAt("b").Count);
            await Eventually.TrueAsync(() => edge.Accounts.Marks.Any(mark => mark is { AccountId: "acc-a", Reason: "usage_limit_reached" }));
            edge.Sim.ClearScript();
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2, "a", "b");
    }

    // Without its name another lane's turn would be ended by it.
    [Theory]
    [InlineData(429, "usage_limit_reached", true)]
    [InlineData(429, "usage_limit_reached", false)]
    [InlineData(403, "forbidden", false)]
    [InlineData(503, "server_is_overloaded", false)]
    [InlineData(500, "server_error", false)]
    public async Task What_a_refused_handshake_costs_is_told_on_the_lane_it_was_for(int status, string code, bool lanes)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: lanes);
            edge.Sim.Script(rule => rule.OnUpgrade().Refuses(status, code));
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame(lane: "x"));
            var only = Assert.Single((await socket.UntilTerminalAsync()).ConvertAll(text => JsonNode.Parse(text)!));
            Assert.Equal(("error", "x"), (only.Type(), only.Lane()));
            edge.Sim.ClearScript();
            await socket.StillWorksAsync("x");
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    // One event, whatever the replay runs into.
    [Fact]
    public async Task A_replay_that_cannot_connect_is_one_error_and_no_more()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").Once().Errors(429, "usage_limit_reached"));
            edge.Sim.Script(rule => rule.Account("b").OnUpgrade().Refuses(500));
        });
        using (var socket = await edge.ConnectAsync())
        {
            var only = Assert.Single(await socket.AskAsync(Asking.Frame()));
            Assert.Equal("error", only.Type());
            Assert.InRange(only["status"]!.GetValue<int>(), 429, 503);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2, "a", "b");
    }
}

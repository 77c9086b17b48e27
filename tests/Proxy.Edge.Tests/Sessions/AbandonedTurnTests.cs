using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Clients that leave: rule 11. What upstream still says to their turns reaches nobody.</summary>
public sealed class AbandonedTurnTests
{
    [Theory]
    [InlineData("start", true)]
    [InlineData("created", true)]
    [InlineData("delta:1", true)]
    [InlineData("start", false)]
    [InlineData("delta:1", false)]
    public async Task The_next_turn_gets_nothing_of_it(string after, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "secret" }).Answer(answer => answer with { InputTokens = 7, OutputTokens = 5 }).Stalls(Position.Parse(after))));
        await LeaveAsync(edge, stream: stream);
        // Its socket is busy still; the conversation goes on beside it, and afterwards on it.
        var beside = await edge.CarryAsync("mine 1");
        beside.Completed();
        await edge.MeanwhileAsync();
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Count == 1 + Bridged.Pauses && edge.Accounts.Slots == 1);
        Assert.Equal(2, edge.HandshakesAt("a"));
        Assert.All(edge.Continuity.Rows, row => Assert.Equal("success", row.Status));
        edge.Sim.Release();
        var rows = await edge.QuietAsync(turns: 2 + Bridged.Pauses);
        var row = Assert.Single(rows, row => row.Status == "cancelled");
        // Drained to its end: the tokens are upstream's own.
        Assert.Equal((7L, 5L, false, Bridged.Session), (row.InputTokens, row.OutputTokens, row.UsageEstimated, row.Session));
        var settled = Assert.Single(edge.Accounts.Settled, turn => turn.TurnId == row.Id);
        Assert.Equal(7L, settled.InputTokens);
        for (var turn = 2; turn <= 4; turn++)
        {
            var next = await edge.CarryAsync($"mine {turn}", stream: turn % 2 == 0);
            next.Completed();
            Assert.Contains($"You said: mine {turn}.", next.Body, StringComparison.Ordinal);
            Assert.DoesNotContain("secret", next.Body, StringComparison.Ordinal);
        }
        Assert.DoesNotContain("secret", beside.Body, StringComparison.Ordinal);
        Assert.Equal((2, 2), (edge.HandshakesAt("a"), edge.OpenAt("a")));
        await edge.QuietAsync(turns: 5 + Bridged.Pauses);
    }

    // Nothing waits for ever: then the socket goes, and with it the turn.
    [Theory]
    [InlineData("start")]
    [InlineData("delta:1")]
    public async Task A_turn_that_does_not_end_is_cut(string after)
    {
        await using var edge = await RunningEdge.StartAsync(
            edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "secret" }).Stalls(Position.Parse(after))), "Sessions:AbandonedTurnSeconds=0.3", "Sessions:SweepSeconds=0.1");
        await LeaveAsync(edge);
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
        var row = Assert.Single(await edge.QuietAsync(turns: 1));
        Assert.Equal(("cancelled", Bridged.Session), (row.Status, row.Session));
        edge.Sim.Release();
        await edge.GoesOnAsync();
        Assert.Equal(2, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 2);
    }

    [Fact]
    public async Task A_turn_that_upstream_lets_fall_is_over()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "secret" }).Stalls(Position.Created).Breaks("1011", Position.Created)));
        await LeaveAsync(edge);
        await edge.MeanwhileAsync();
        edge.Sim.Release();
        Assert.Single(await edge.QuietAsync(turns: 1 + Bridged.Pauses), row => row.Status == "cancelled");
        Assert.Single(edge.FramesAt("a"));
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2 + Bridged.Pauses);
    }

    // Before created it would be sent once more for a client that is there.
    [Theory]
    [InlineData("1011")]
    [InlineData("quota")]
    [InlineData("busy")]
    public async Task It_is_not_sent_once_more(string how)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => _ = how switch
            {
                "quota" => rule.When(when => when with { Contains = "secret" }).Stalls().Errors(429, "usage_limit_reached"),
                "busy" => rule.When(when => when with { Contains = "secret" }).Stalls().Errors(503, "server_is_overloaded"),
                _ => rule.When(when => when with { Contains = "secret" }).Stalls().Breaks(how),
            });
        });
        await LeaveAsync(edge);
        await edge.MeanwhileAsync();
        edge.Sim.Release();
        var rows = await edge.QuietAsync(turns: 1 + Bridged.Pauses);
        Assert.Single(rows, row => row.Status == "cancelled");
        Assert.Single(edge.FramesAt("a"));
        Assert.Empty(edge.FramesAt("b"));
    }

    // Its anchor was on the socket: what has become of it is said at once, and the conversation goes on there.
    [Fact]
    public async Task A_follow_up_that_was_left_does_not_cost_the_conversation()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "secret" }).Stalls(Position.Delta(1))));
        var anchor = await edge.LocalAnchorAsync();
        await LeaveAsync(edge, anchor);
        await edge.MeanwhileAsync();
        edge.Sim.Release();
        var rows = await edge.QuietAsync(turns: 2 + Bridged.Pauses);
        Assert.Single(rows, row => row.Status == "cancelled");
        (await edge.CarryAsync("third", anchor)).Canonical(anchor);
        await edge.GoesOnAsync();
        Assert.Equal(1, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 4 + Bridged.Pauses);
    }

    [Fact]
    public async Task Who_leaves_the_queue_is_never_sent()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Created));
            edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        });
        var anchor = await edge.LocalAnchorAsync();
        var running = edge.CarryAsync("stalls", anchor);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        using var leaves = new CancellationTokenSource();
        var waits = edge.SendAsync(Bridged.Body("secret", anchor), leaves.Token, Bridged.Thread);
        await edge.MeanwhileAsync();
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waits);
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Any(row => row.Status == "cancelled"));
        edge.Sim.Release();
        (await running).Completed();
        (await edge.CarryAsync("third", anchor)).Completed();
        Assert.DoesNotContain(edge.FramesAt("a"), frame => frame.Contains("secret", StringComparison.Ordinal));
        await edge.QuietAsync(turns: 4 + Bridged.Pauses);
    }

    [Fact]
    public async Task Who_leaves_before_there_is_a_session_leaves_nothing()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.Sessions.OnClaim = async request =>
        {
            await gate.Task;
            return edge.Continuity.Sessions.Claim(request);
        });
        using var leaves = new CancellationTokenSource();
        var waits = edge.SendAsync(Bridged.Body("secret"), leaves.Token, Bridged.Thread);
        await Eventually.TrueAsync(() => !edge.Continuity.Sessions.Claimed.IsEmpty);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waits);
        Assert.Equal("cancelled", (await edge.RowAsync()).Status);
        gate.SetResult();
        await edge.GoesOnAsync();
        Assert.Single(edge.FramesAt("a"));
        await edge.QuietAsync(turns: 2);
    }

    private static async Task LeaveAsync(RunningEdge edge, string? anchor = null, bool stream = true)
    {
        using var leaves = new CancellationTokenSource();
        var left = edge.SendAsync(Bridged.Body("secret", anchor, stream), leaves.Token, Bridged.Thread);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
    }
}

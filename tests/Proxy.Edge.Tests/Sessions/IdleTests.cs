using System.Diagnostics;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Sockets on which nothing runs, and what becomes of the anchors that lived on them.</summary>
public sealed class IdleTests
{
    private const string CacheKey = ",\"prompt_cache_key\":\"k\"";

    private static readonly (string Name, string Value)[][] Scopes =
        [[Bridged.Thread], [("x-codex-turn-state", "ts")], [("session-id", "s")], [("x-codex-conversation-id", "c")], [("x-none", "1")]];

    [Theory]
    [InlineData("Hard", 0, 1)]
    [InlineData("Locality", 2, 3)]
    [InlineData("Soft", 4)]
    public async Task Each_kind_of_session_has_a_time_of_its_own(string kind, params int[] ending)
    {
        await using var edge = await RunningEdge.StartAsync(null, $"Sessions:{kind}IdleSeconds=0.5", "Sessions:SweepSeconds=0.1");
        var anchors = new List<string>();
        foreach (var scope in Scopes)
        {
            anchors.Add((await edge.CarryAsync(more: CacheKey, headers: scope)).Id);
        }
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == Scopes.Length - ending.Length);
        var before = edge.FramesAt("a").Count;
        for (var scope = 0; scope < Scopes.Length; scope++)
        {
            var answer = await edge.CarryAsync("second", anchors[scope], more: CacheKey, headers: Scopes[scope]);
            if (ending.Contains(scope))
            {
                answer.Canonical(anchors[scope]);
            }
            else
            {
                answer.Completed();
            }
        }
        Assert.Equal((before + Scopes.Length - ending.Length, Scopes.Length), (edge.FramesAt("a").Count, edge.HandshakesAt("a")));
        await edge.QuietAsync(turns: 2 * Scopes.Length);
    }

    [Fact]
    public async Task With_its_last_socket_a_session_lets_go_of_its_claim()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Created)),
            "Sessions:HardIdleSeconds=0.5", "Sessions:SweepSeconds=0.1");
        var running = edge.CarryAsync("stalls");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        (await edge.CarryAsync("short")).Completed();
        // A socket goes, its session stays.
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 1);
        Assert.Equal((edge.Origin, false), (edge.Continuity.Sessions.HolderOf(Bridged.Session)?.TrimEnd('/'), running.IsCompleted));
        edge.Sim.Release();
        (await running).Completed();
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.HolderOf(Bridged.Session) is null);
        Assert.Equal(Bridged.Session, edge.Continuity.Sessions.Released.SelectMany(release => release.Claims).Single().Session);
        // And claims it again with the next turn.
        await edge.GoesOnAsync();
        Assert.NotNull(edge.Continuity.Sessions.HolderOf(Bridged.Session));
        Assert.Equal(3, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 3);
    }

    // Whichever is last, the socket's end or its turn's; no sweep is waited for.
    [Fact]
    public async Task A_session_whose_socket_has_broken_lets_go_of_its_claim_after_its_turn()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Cuts(Position.Delta(1))), "Sessions:SweepSeconds=600");
        (await edge.CarryAsync()).Failed("stream_incomplete");
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.HolderOf(Bridged.Session) is null, TimeSpan.FromSeconds(5));
        await edge.QuietAsync(turns: 1);
    }

    // Upstream cuts at an hour: what begins shortly before would not end.
    [Fact]
    public async Task An_old_socket_takes_no_new_conversation_turns_and_ends_when_it_is_idle()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Created)),
            "Edge:RetireSocketSeconds=0.5", "Sessions:SweepSeconds=0.1");
        var running = edge.CarryAsync("stalls");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        // Younger, and idle: when it is retired the other is too.
        await edge.LocalAnchorAsync(Bridged.OtherThread);
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 1);
        Assert.False(running.IsCompleted);
        (await edge.CarryAsync("short")).Completed();
        Assert.Equal(3, edge.HandshakesAt("a"));
        edge.Sim.Release();
        (await running).Completed();
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
        // Whether it was retired within its last turn or while it was idle.
        await Eventually.TrueAsync(() => edge.Counters.Of("continuity.session_socket_end", ("reason", "old")) == 3);
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 4);
    }

    [Theory]
    [InlineData("close", true)]
    [InlineData("close", false)]
    [InlineData("kill", true)]
    public async Task When_upstream_closes_it_the_follow_up_is_told_at_once(string how, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"));
        var anchor = await edge.LocalAnchorAsync();
        if (how == "close")
        {
            await edge.Sim.CloseSocketsAsync(1001);
        }
        else
        {
            edge.Sim.Kill();
        }
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
        var began = Stopwatch.GetTimestamp();
        (await edge.CarryAsync("second", anchor, stream)).Canonical(anchor);
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.Single(edge.FramesAt("a"));
        // The client sends its whole history, and goes on from there.
        var resent = await edge.CarryAsync("everything", stream: stream);
        resent.Completed();
        (await edge.CarryAsync("third", resent.Id, stream)).Completed();
        Assert.Equal((2, 0), (edge.HandshakesAt("a"), edge.HandshakesAt("b")));
        var rows = await edge.QuietAsync(turns: 4);
        Assert.Equal(("refused", 400, "previous_response_not_found"), (rows[1].Status, rows[1].HttpStatus, rows[1].ErrorCode));
        Assert.All(rows.Where((_, turn) => turn != 1), row => Assert.Equal(Bridged.Session, row.Session));
        Assert.Empty(edge.Accounts.Marks);
    }

    // A claim of this edge that was not released is still this edge's.
    [Fact]
    public async Task Nobody_is_told_that_a_living_anchor_is_dead()
    {
        await using var edge = await RunningEdge.StartAsync(null, "Sessions:SweepSeconds=0.1", "Sessions:SoftIdleSeconds=0.3");
        var anchor = await edge.LocalAnchorAsync();
        // While other sessions come and go.
        for (var turn = 0; turn < 2; turn++)
        {
            (await edge.CarryAsync(more: CacheKey, headers: ("x-none", "1"))).Completed();
            await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 1);
        }
        (await edge.CarryAsync("second", anchor)).Completed();
        Assert.Equal(3, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 4);
    }
}

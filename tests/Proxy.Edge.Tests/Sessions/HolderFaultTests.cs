using System.Diagnostics;
using System.Net;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Turns whose session another edge holds, or held: it is gone, silent, or lost to the store.</summary>
public sealed class HolderFaultTests
{
    // However busy the machine is: an edge that is there answers.
    private const string Patient = "Sessions:ProbeMs=10000";

    [Theory]
    [InlineData("gone")]
    [InlineData("silent")]
    [InlineData("404")]
    [InlineData("421")]
    [InlineData("503")]
    public async Task A_holder_that_is_no_more_is_not_waited_for(string how)
    {
        await using var tap = await Tap.StartAsync();
        await using var edge = await RunningEdge.StartAsync(null, "Sessions:ProbeMs=300");
        var address = how == "gone" ? $"http://127.0.0.1:{FreePorts.InARow(1)}" : tap.Address;
        tap.OthersGet = tap.TurnsGet = Enum.TryParse<HttpStatusCode>(how, out var status) ? status : null;
        edge.Continuity.Sessions.Supersede(Bridged.Session, address);
        edge.Continuity.Own("resp_there", "a", stored: false, session: Bridged.Session);
        var began = Stopwatch.GetTimestamp();
        (await edge.CarryAsync("second", "resp_there")).Canonical("resp_there");
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.Equal((0, 0), (edge.FramesAt("a").Count, edge.BodiesAt("a").Count));
        // The client's whole history is served here, beside, and goes on here.
        var resent = await edge.CarryAsync("everything");
        resent.Completed();
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(4));
        (await edge.CarryAsync("third", resent.Id)).Completed();
        Assert.Equal(1, edge.HandshakesAt("a"));
        var rows = await edge.QuietAsync(turns: 3);
        Assert.All(rows.Skip(1), row => Assert.StartsWith($"{Bridged.Session}~", row.Session, StringComparison.Ordinal));
        // The lease has run out: the scope is this edge's with a later turn.
        edge.Continuity.Sessions.Lapse(Bridged.Session);
        var turns = 3;
        await Eventually.TrueAsync(async () =>
        {
            turns++;
            (await edge.CarryAsync()).Completed();
            return edge.Continuity.Sessions.HolderOf(Bridged.Session)?.TrimEnd('/') == edge.Origin;
        });
        Assert.Equal(Bridged.Session, (await edge.QuietAsync(turns))[^1].Session);
    }

    // A process that is frozen takes connections and never answers: one turn finds that out for those that follow.
    [Fact]
    public async Task A_silent_edge_is_not_waited_for_by_every_turn()
    {
        const int turns = 6;
        await using var tap = await Tap.StartAsync();
        await using var edge = await RunningEdge.StartAsync(null, "Sessions:ProbeMs=300");
        edge.Continuity.Sessions.Supersede(Bridged.Session, tap.Address);
        edge.Continuity.Own("resp_there", "a", stored: false, session: Bridged.Session);
        for (var turn = 0; turn < turns; turn++)
        {
            (await edge.CarryAsync("second", "resp_there")).Canonical("resp_there");
        }
        Assert.InRange(tap.Seen.Count, 1, turns - 1);
        await edge.QuietAsync(turns);
    }

    // Where its session is cannot be looked up: that says nothing of the anchor.
    [Fact]
    public async Task While_the_store_is_away_no_anchor_is_told_dead()
    {
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var holder = await edge.StartAnotherAsync(Patient);
        var anchor = await holder.LocalAnchorAsync();
        edge.Continuity.Sessions.IsAway = true;
        (await edge.CarryAsync("second", anchor)).Refused(502, "upstream_unavailable");
        edge.Continuity.Sessions.IsAway = false;
        (await edge.CarryAsync("second", anchor)).Completed();
        Assert.Equal(1, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 3);
    }

    // Alive when it was asked, and not the holder any more when the turn came.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_turn_is_forwarded_once_and_no_further(bool anchored)
    {
        await using var tap = await Tap.StartAsync();
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var third = tap.Edge = await edge.StartAnotherAsync(Patient);
        tap.OthersGet = HttpStatusCode.NoContent;
        // To the third edge, too, somebody else is the holder.
        edge.Continuity.Sessions.Supersede(Bridged.Session, tap.Address);
        edge.Continuity.Own("resp_there", "a", stored: false, session: Bridged.Session);
        var answer = await edge.CarryAsync("second", anchored ? "resp_there" : null);
        Assert.Single(tap.SeenTurns);
        if (anchored)
        {
            answer.Canonical("resp_there");
            Assert.Equal(0, edge.HandshakesAt("a"));
        }
        else
        {
            answer.Completed();
            Assert.Single(edge.FramesAt("a"));
        }
        Assert.Equal(edge.Id, Assert.Single(await edge.QuietAsync(turns: 1)).EdgeId);
        Assert.DoesNotContain(edge.Continuity.Sessions.Claimed, claim => claim.Address.TrimEnd('/') == third.Origin);
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2);
    }

    // It had said yes, and was gone when the turn came: nothing has begun.
    [Fact]
    public async Task A_holder_that_has_just_gone_costs_no_turn()
    {
        await using var tap = await Tap.StartAsync();
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        (tap.OthersGet, tap.LeavesOnceAsked) = (HttpStatusCode.NoContent, true);
        edge.Continuity.Sessions.Supersede(Bridged.Session, tap.Address);
        (await edge.CarryAsync()).Completed();
        Assert.Empty(tap.SeenTurns);
        Assert.StartsWith($"{Bridged.Session}~", Assert.Single(await edge.QuietAsync(turns: 1)).Session, StringComparison.Ordinal);
    }

    // It falls silent within the answer, as a process that is frozen: the client is told in its stream, a while after the holder itself would have.
    [Theory]
    [InlineData("")]
    [InlineData("event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_silent\",\"status\":\"in_progress\"}}\n\n")]
    public async Task A_holder_that_falls_silent_is_not_waited_for_for_ever(string after)
    {
        await using var tap = await Tap.StartAsync();
        await using var edge = await RunningEdge.StartAsync(null, Patient, "Edge:IdleSeconds=1", "Edge:CreatedSeconds=1", "Edge:KeepAliveSeconds=0.5");
        (tap.OthersGet, tap.TurnsFallSilentAfter) = (HttpStatusCode.NoContent, after);
        edge.Continuity.Sessions.Supersede(Bridged.Session, tap.Address);
        var began = Stopwatch.GetTimestamp();
        var answer = await edge.CarryAsync();
        var end = answer.Events[^1];
        Assert.Equal(("response.failed", "stream_incomplete", after.Length > 0), (end.Type(), end.Code(), end.Id() == "resp_silent"));
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(20));
        await edge.QuietAsync(turns: 0);
    }

    // Nobody knows how far it came.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_that_breaks_is_told_and_not_repeated(bool stream)
    {
        await using var tap = await Tap.StartAsync();
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var holder = tap.Edge = await edge.StartAnotherAsync($"Edge:AdvertisedAddress={tap.Address}");
        var anchor = await holder.LocalAnchorAsync();
        tap.CutsTurns = true;
        var answer = await edge.CarryAsync("second", anchor, stream);
        answer.Refused(502, "stream_incomplete");
        Assert.Equal("false", answer.Header("x-should-retry"));
        Assert.Single(edge.FramesAt("a"));
        tap.CutsTurns = false;
        (await edge.CarryAsync("third", anchor)).Completed();
        await edge.QuietAsync(turns: 3);
    }

    // The store has lost the record of the session: its holder writes it anew with the next renewal, and until then nobody can say that the anchor is dead.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_record_that_is_lost_is_waited_for_as_long_as_its_holder_may_take(bool isThere)
    {
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var holder = await edge.StartAnotherAsync(Patient);
        var anchor = await holder.LocalAnchorAsync();
        edge.Continuity.Sessions.Forget();
        if (!isThere)
        {
            edge.Continuity.Sessions.OnRenew = _ => Task.FromResult<RenewSessionsResponse?>(null);
        }
        var began = Stopwatch.GetTimestamp();
        var answer = await edge.CarryAsync("second", anchor);
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(SessionClaim.RenewIntervalSeconds + 3));
        if (isThere)
        {
            answer.Completed();
            Assert.Equal(1, edge.HandshakesAt("a"));
        }
        else
        {
            answer.Canonical(anchor);
        }
        Assert.NotEmpty(edge.Continuity.Sessions.Found);
        await edge.QuietAsync(turns: 2);
    }

    // Its owner could not be published, and its holder's lease has run out meanwhile: only the holder can say whether it has it, and a claim would end that.
    [Fact]
    public async Task An_anchor_that_nobody_knows_is_asked_after_where_the_scope_was_last()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.Sessions.OnWrite = _ => Task.FromResult(503), Patient);
        await using var holder = await edge.StartAnotherAsync(Patient);
        var anchor = await holder.LocalAnchorAsync();
        edge.Continuity.Disown(anchor);
        edge.Continuity.Sessions.OnRenew = _ => Task.FromResult<RenewSessionsResponse?>(null);
        edge.Continuity.Sessions.Lapse(Bridged.Session);
        var answer = await edge.CarryAsync("second", anchor);
        answer.Completed();
        Assert.Contains($"Anchor: {anchor}.", answer.Body, StringComparison.Ordinal);
        Assert.Equal(1, edge.HandshakesAt("a"));
        Assert.All(await edge.QuietAsync(turns: 2), row => Assert.Equal(holder.Id, row.EdgeId));
    }

    // The edge between the client and the holder is on its way out: what it passes on has as long as what it runs.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_turn_that_is_passed_on_has_the_time_of_a_drain(bool ends)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Delta(1))), Patient);
        await using var holder = await edge.StartAnotherAsync(Patient);
        await using var between = await edge.StartAnotherAsync(Patient, $"Drain:Seconds={(ends ? 30 : 1)}");
        var anchor = await holder.LocalAnchorAsync();
        var running = between.CarryAsync("stalls", anchor);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        var began = Stopwatch.GetTimestamp();
        var stopping = between.StopAsync();
        if (ends)
        {
            await edge.MeanwhileAsync();
            Assert.False(running.IsCompleted);
            edge.Sim.Release();
            (await running).Completed();
            await stopping;
        }
        else
        {
            (await running).Failed("stream_incomplete");
            await stopping;
            Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromMilliseconds(900), TimeSpan.FromSeconds(1 + 5));
            edge.Sim.Release();
        }
        await edge.QuietAsync(turns: 2 + (ends ? Bridged.Pauses : 0));
    }

    [Fact]
    public async Task A_holder_that_stops_leaves_its_sessions_to_the_others()
    {
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var holder = await edge.StartAnotherAsync(Patient);
        var anchor = await holder.LocalAnchorAsync();
        await holder.StopAsync();
        (await edge.CarryAsync("second", anchor)).Canonical(anchor);
        (await edge.CarryAsync("everything")).Completed();
        Assert.Equal(edge.Origin, edge.Continuity.Sessions.HolderOf(Bridged.Session)?.TrimEnd('/'));
        Assert.Equal(Bridged.Session, (await edge.QuietAsync(turns: 3))[^1].Session);
    }
}

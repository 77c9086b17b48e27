using System.Diagnostics;
using System.Net;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Turns that reach an edge while another one holds their session: SPEC 5.6, 10.7; W33.</summary>
public sealed class ForwardTests
{
    // However busy the machine is: an edge that is there answers.
    private const string Patient = "Sessions:ProbeMs=10000";

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task The_holder_serves_it(bool anchored, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var holder = await edge.StartAnotherAsync(Patient);
        var anchor = anchored ? await holder.LocalAnchorAsync() : null;
        if (!anchored)
        {
            await holder.LocalAnchorAsync();
        }
        var before = edge.Sim.Recorded.Sockets.Single().Sent.Count();
        var body = Bridged.Body("ü second", anchor, stream);
        var answer = await edge.SendAsync(body, headers: Bridged.Thread);
        answer.Completed();
        var sent = edge.Sim.Recorded.Sockets.Single().Sent.Skip(before).ToList();
        Assert.Equal(Bridged.FrameOf(body), edge.FramesAt("a")[^1]);
        if (stream)
        {
            Assert.Equal(string.Concat(sent.Select(frame => $"event: {frame.Type}\ndata: {frame.Text}\n\n")), answer.Body);
            Assert.StartsWith("text/event-stream", answer.Header("content-type"), StringComparison.Ordinal);
        }
        else
        {
            Assert.EndsWith($"\"response\":{answer.Body}}}", sent[^1].Text, StringComparison.Ordinal);
        }
        Assert.Equal((1, 2, 0), (edge.HandshakesAt("a"), edge.FramesAt("a").Count, edge.BodiesAt("a").Count));
        // Everything about the turn is done once, by the edge that ran it.
        var rows = await edge.QuietAsync(turns: 2);
        Assert.All(rows, row => Assert.Equal((holder.Id, "http_bridge", Bridged.Session, "success", "key-1"), (row.EdgeId, row.Surface, row.Session, row.Status, row.ApiKeyId)));
        Assert.Equal(rows[1].Id.ToString("N"), answer.Header("x-request-id"));
        Assert.Equal(2, edge.Accounts.AskedForTurns.Count());
        Assert.Equal(holder.Origin, edge.Continuity.Sessions.HolderOf(Bridged.Session)?.TrimEnd('/'));
    }

    [Fact]
    public async Task A_conversation_may_change_its_edge_with_every_turn()
    {
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var other = await edge.StartAnotherAsync(Patient);
        string? anchor = null;
        for (var turn = 0; turn < 4; turn++)
        {
            var answer = await (turn % 2 == 0 ? edge : other).CarryAsync($"turn {turn}", anchor);
            answer.Completed();
            Assert.Contains($"Anchor: {anchor ?? "none"}.", answer.Body, StringComparison.Ordinal);
            anchor = answer.Id;
        }
        Assert.Equal(1, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 4);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_goes_wrong_there_is_told_here(bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var holder = await edge.StartAnotherAsync(Patient);
        await holder.LocalAnchorAsync();
        edge.Sim.Script(rule => rule.Once().Then(new ErrorStep { Status = 422, Code = "invalid_prompt", Message = "No: ü." }));
        Assert.Equal("No: ü.", (await edge.CarryAsync(stream: stream)).Refused(422, "invalid_prompt").Message());
        await edge.GoesOnAsync();
        Assert.Equal((1, 3), (edge.HandshakesAt("a"), edge.FramesAt("a").Count));
        await edge.QuietAsync(turns: 3);
    }

    // A cache key has no holder for others: only its anchors do.
    [Fact]
    public async Task A_cache_key_is_not_forwarded_but_its_anchor_is()
    {
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var other = await edge.StartAnotherAsync(Patient);
        const string more = ",\"prompt_cache_key\":\"k\"";
        var first = await other.SendAsync(Bridged.Body(more: more));
        (await edge.SendAsync(Bridged.Body(more: more))).Completed();
        Assert.Equal(2, edge.HandshakesAt("a"));
        // Other edges learn of it with the first renewal.
        var session = (await edge.QuietAsync(turns: 2))[0].Session!;
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.HolderOf(session) is not null);
        var second = await edge.SendAsync(Bridged.Body("second", first.Id, more: more));
        second.Completed();
        Assert.Contains($"Anchor: {first.Id}", second.Body, StringComparison.Ordinal);
        Assert.Equal([other.Id, edge.Id, other.Id], (await edge.QuietAsync(turns: 3)).Select(row => row.EdgeId));
    }

    [Fact]
    public async Task The_clients_credential_does_not_travel()
    {
        await using var tap = await Tap.StartAsync();
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var holder = tap.Edge = await edge.StartAnotherAsync($"Edge:AdvertisedAddress={tap.Address}");
        await holder.LocalAnchorAsync();
        (await edge.CarryAsync(headers: [Bridged.Thread, ("cookie", "c=secret"), ("x-other", "goes")])).Completed();
        var turn = Assert.Single(tap.SeenTurns);
        Assert.Equal(("goes", null, null), (turn.Header("x-other"), turn.Header("authorization"), turn.Header("cookie")));
        Assert.NotNull(turn.Header("x-continuity-forward"));
        Assert.All(tap.Seen.SelectMany(one => one.Headers), header => Assert.DoesNotContain("sk-1", header.Value, StringComparison.Ordinal));
        await edge.QuietAsync(turns: 2);
    }

    [Fact]
    public async Task A_client_that_leaves_takes_the_forwarded_turn_along()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "secret" }).Stalls(Position.Delta(1))), Patient);
        await using var holder = await edge.StartAnotherAsync("Sessions:AbandonedTurnSeconds=0.3", "Sessions:SweepSeconds=0.1");
        await holder.LocalAnchorAsync();
        using var leaves = new CancellationTokenSource();
        var left = edge.SendAsync(Bridged.Body("secret"), leaves.Token, Bridged.Thread);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
        var rows = await edge.QuietAsync(turns: 2);
        Assert.Equal(("cancelled", holder.Id), (rows[1].Status, rows[1].EdgeId));
        edge.Sim.Release();
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 3);
    }

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
    [Fact]
    public async Task A_holder_that_falls_silent_is_not_waited_for_for_ever()
    {
        await using var tap = await Tap.StartAsync();
        await using var edge = await RunningEdge.StartAsync(null, Patient, "Edge:IdleSeconds=1", "Edge:CreatedSeconds=1", "Edge:KeepAliveSeconds=0.5");
        (tap.OthersGet, tap.SilencesTurns) = (HttpStatusCode.NoContent, true);
        edge.Continuity.Sessions.Supersede(Bridged.Session, tap.Address);
        var began = Stopwatch.GetTimestamp();
        var answer = await edge.CarryAsync();
        answer.Failed("stream_incomplete");
        Assert.Equal("resp_silent", answer.Id);
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(20));
        await edge.QuietAsync(turns: 0);
    }

    [Fact]
    public async Task A_question_after_a_session_does_not_keep_it()
    {
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var holder = await edge.StartAnotherAsync("Sessions:HardIdleSeconds=0.5", "Sessions:SweepSeconds=0.1");
        await holder.LocalAnchorAsync();
        (await edge.CarryAsync()).Completed();
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.Released.SelectMany(release => release.Claims).Any(claim => claim.Session == Bridged.Session));
        await edge.QuietAsync(turns: 2);
    }

    [Fact]
    public async Task A_compressed_body_is_sent_on_plain()
    {
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var holder = await edge.StartAnotherAsync(Patient);
        await holder.LocalAnchorAsync();
        var body = Bridged.Body("second");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = new ByteArrayContent(Compressed.With("gzip", body)) };
        request.Content.Headers.TryAddWithoutValidation("content-type", "application/json");
        request.Content.Headers.ContentEncoding.Add("gzip");
        request.Headers.Add(Bridged.Thread.Name, Bridged.Thread.Value);
        using var response = await edge.Http.SendAsync(request);
        Assert.Contains("response.completed", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(Bridged.FrameOf(body), edge.FramesAt("a")[^1]);
        Assert.All(await edge.QuietAsync(turns: 2), row => Assert.Equal(holder.Id, row.EdgeId));
    }

    // The holder opens a socket for it, with what the client has said in its query.
    [Fact]
    public async Task The_query_goes_along()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Delta(1))), Patient);
        await using var holder = await edge.StartAnotherAsync(Patient);
        var running = holder.CarryAsync("stalls");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        using (var response = await edge.PostAsync(Bridged.Body(), "/v1/responses?beta=true&x=%20y", headers: Bridged.Thread))
        {
            Assert.Contains("response.completed", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
        Assert.Equal(["", "?beta=true&x=%20y"], edge.Sim.Recorded.Sockets.Select(socket => socket.Query));
        edge.Sim.Release();
        (await running).Completed();
        Assert.All(await edge.QuietAsync(turns: 2), row => Assert.Equal(holder.Id, row.EdgeId));
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

    // Two edges at once: one session, one claim that counts.
    [Fact]
    public async Task First_turns_on_two_edges_meet_at_one_holder()
    {
        await using var edge = await RunningEdge.StartAsync(null, Patient);
        await using var other = await edge.StartAnotherAsync(Patient);
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(turn => (turn % 2 == 0 ? edge : other).CarryAsync($"turn {turn}")));
        Assert.All(answers, answer => answer.Completed());
        (await edge.CarryAsync("next", await other.LocalAnchorAsync())).Completed();
        (await other.CarryAsync("next", await edge.LocalAnchorAsync())).Completed();
        var rows = await edge.QuietAsync(turns: 10);
        Assert.Single(rows.Select(row => row.EdgeId).Distinct());
        Assert.All(rows, row => Assert.Equal(Bridged.Session, row.Session));
    }
}

using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Turns that reach an edge while another one holds their session.</summary>
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

using System.Diagnostics;
using System.Net;
using Proxy.Edge.Tests.Fixture;
using ServiceDefaults.Http;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>An edge with sessions that is to stop.</summary>
public sealed class SessionDrainTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_idle_is_given_up_at_once_and_what_runs_afterwards(bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(Stalls, "Sessions:SweepSeconds=600");
        await edge.LocalAnchorAsync();
        var running = edge.CarryAsync("stalls", stream: stream, headers: Bridged.OtherThread);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        var stopping = edge.StopAsync();
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 1);
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.HolderOf(Bridged.Session) is null);
        Assert.Equal((edge.Origin, false, false), (edge.Continuity.Sessions.HolderOf(Bridged.OtherSession)?.TrimEnd('/'), running.IsCompleted, stopping.IsCompleted));
        edge.Sim.Release();
        (await running).Completed();
        await stopping;
        Assert.Empty(edge.Continuity.Sessions.Live);
        Assert.Equal(["success", "success"], (await edge.QuietAsync(turns: 2)).Select(row => row.Status));
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
    }

    [Theory]
    [InlineData("created", true)]
    [InlineData("delta:1", true)]
    [InlineData("start", true)]
    [InlineData("delta:1", false)]
    public async Task What_does_not_end_is_ended_and_told(string after, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Parse(after))), "Drain:Seconds=1");
        var running = edge.CarryAsync("stalls", stream: stream);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        var began = Stopwatch.GetTimestamp();
        var stopping = edge.StopAsync();
        var answer = await running;
        if (stream && after != "start")
        {
            answer.Failed("stream_incomplete");
        }
        else
        {
            answer.Refused(503, "stream_incomplete");
        }
        await stopping;
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromMilliseconds(900), TimeSpan.FromSeconds(1 + 5));
        Assert.Equal("stream_incomplete", Assert.Single(await edge.QuietAsync(turns: 1)).ErrorCode);
        Assert.Empty(edge.Continuity.Sessions.Live);
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
    }

    // Whoever waits for a socket gets an answer too.
    [Fact]
    public async Task Nobody_who_waits_is_left_without_an_answer()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Answer(answer => answer with { Unchecked = true }).Stalls(Position.Delta(1)));
            edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        }, "Drain:Seconds=1");
        var anchor = await edge.LocalAnchorAsync();
        List<Task<Bridged.Answer>> turns = [edge.CarryAsync("stalls", anchor)];
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        turns.AddRange([edge.CarryAsync("waits", anchor), edge.CarryAsync("waits", anchor)]);
        await edge.MeanwhileAsync();
        var began = Stopwatch.GetTimestamp();
        await edge.StopAsync();
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(1 + 5));
        var answers = await Task.WhenAll(turns);
        answers[0].Failed("stream_incomplete");
        Assert.All(answers.Skip(1), answer => Assert.InRange(answer.Status, 400, 599));
        await edge.QuietAsync(turns: 4 + Bridged.Pauses);
        Assert.Empty(edge.Continuity.Sessions.Live);
    }

    [Fact]
    public async Task An_abandoned_turn_holds_no_stop_up()
    {
        await using var edge = await RunningEdge.StartAsync(Stalls, "Drain:Seconds=1");
        using var leaves = new CancellationTokenSource();
        var left = edge.SendAsync(Bridged.Body("stalls"), leaves.Token, Bridged.Thread);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        await edge.MeanwhileAsync();
        var began = Stopwatch.GetTimestamp();
        await edge.StopAsync();
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(1 + 5));
        Assert.Single(await edge.QuietAsync(turns: 1 + Bridged.Pauses), row => row.Status == "cancelled");
        Assert.Empty(edge.Continuity.Sessions.Live);
    }

    // No new claims: what is opened now would not live long enough for a follow-up.
    [Fact]
    public async Task A_draining_edge_holds_no_new_conversation()
    {
        await using var edge = await RunningEdge.StartAsync(Stalls);
        var running = edge.CarryAsync("stalls");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await DrainAsync(edge);
        var body = Bridged.Body("plain");
        (await edge.SendAsync(body, headers: Bridged.OtherThread)).Completed();
        Assert.Equal((body, 1), (Assert.Single(edge.BodiesAt("a")), edge.HandshakesAt("a")));
        Assert.Single(edge.Continuity.Sessions.Claimed);
        edge.Sim.Release();
        (await running).Completed();
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.Live.Count == 0);
        await edge.QuietAsync(turns: 2);
    }

    // Clients that come before their balancer has noticed find their conversations, instead of building them up anew where they end at once.
    [Fact]
    public async Task While_balancers_have_not_noticed_conversations_go_on()
    {
        await using var edge = await RunningEdge.StartAsync(null, "Drain:NoticeSeconds=3", "Sessions:SweepSeconds=600");
        var anchor = await edge.LocalAnchorAsync();
        await DrainAsync(edge);
        using (var health = await edge.Http.GetAsync(new Uri("/health", UriKind.Relative)))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        }
        (await edge.CarryAsync("second", anchor)).Completed();
        (await edge.CarryAsync("first", headers: Bridged.OtherThread)).Completed();
        Assert.Equal((2, 0), (edge.HandshakesAt("a"), edge.BodiesAt("a").Count));
        // And then all that is idle is given up.
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.Live.Count == 0, TimeSpan.FromSeconds(5));
        (await edge.CarryAsync("plain")).Completed();
        Assert.Single(edge.BodiesAt("a"));
        Assert.Equal([Bridged.Session, Bridged.Session, Bridged.OtherSession, null], (await edge.QuietAsync(turns: 4)).Select(row => row.Session));
    }

    // The others go on with the conversation as soon as it is given up.
    [Fact]
    public async Task Another_edge_takes_over_while_this_one_drains()
    {
        await using var edge = await RunningEdge.StartAsync(Stalls);
        await using var draining = await edge.StartAnotherAsync();
        var anchor = await draining.LocalAnchorAsync();
        var running = draining.CarryAsync("stalls", headers: Bridged.OtherThread);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await DrainAsync(draining);
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.HolderOf(Bridged.Session) is null);
        (await edge.CarryAsync("second", anchor)).Canonical(anchor);
        (await edge.CarryAsync("everything")).Completed();
        Assert.Equal(edge.Origin, edge.Continuity.Sessions.HolderOf(Bridged.Session)?.TrimEnd('/'));
        // What still runs there is not taken away.
        Assert.Equal(draining.Origin, edge.Continuity.Sessions.HolderOf(Bridged.OtherSession)?.TrimEnd('/'));
        edge.Sim.Release();
        (await running).Completed();
        Assert.Equal(Bridged.Session, (await edge.QuietAsync(turns: 4)).Last(row => row.EdgeId == edge.Id).Session);
    }

    // Who is still opening a session when the stop comes opens none.
    [Fact]
    public async Task A_claim_that_comes_too_late_is_given_up()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.Sessions.OnClaim = async request =>
        {
            await gate.Task;
            return edge.Continuity.Sessions.Claim(request);
        });
        var waits = edge.CarryAsync();
        await Eventually.TrueAsync(() => !edge.Continuity.Sessions.Claimed.IsEmpty);
        await DrainAsync(edge);
        gate.SetResult();
        var answer = await waits;
        Assert.True(answer.Status is 200 or 502 or 503, $"{answer.Status}: {answer.Body}");
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.Released.SelectMany(release => release.Claims).Any(claim => claim.Session == Bridged.Session));
        Assert.Empty(edge.Continuity.Sessions.Live);
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
        await edge.QuietAsync(turns: 1);
    }

    private static void Stalls(RunningEdge edge) => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Delta(1)));

    private static async Task DrainAsync(RunningEdge edge)
    {
        using var drain = new HttpRequestMessage(HttpMethod.Post, edge.Origin + "/internal/drain") { Headers = { { InternalToken.Header, FakeService.Token } } };
        Assert.Equal(HttpStatusCode.Accepted, (await edge.Http.SendAsync(drain)).StatusCode);
    }
}

using System.Diagnostics;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Claims that are lost, and a store that cannot be asked.</summary>
public sealed class LeaseTests
{
    private const string Elsewhere = "http://127.0.0.1:1";
    private const string LookupMessage = "Session lookup failed; retry later.";

    [Fact]
    public async Task A_claim_is_renewed_for_as_long_as_there_is_a_socket()
    {
        await using var edge = await RunningEdge.StartAsync();
        await edge.LocalAnchorAsync();
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.Renewed.Count(renewal => renewal.Sessions.Count > 0) >= 2);
        var renewed = edge.Continuity.Sessions.Renewed.SelectMany(renewal => renewal.Sessions).First();
        Assert.Equal((Bridged.Session, edge.Origin, "key-1", "acc-a", "dom-a"), (renewed.Claim.Session, renewed.Address.TrimEnd('/'), renewed.KeyId, renewed.AccountId, renewed.Domain));
        Assert.True(edge.Continuity.Sessions.IsCurrent(renewed.Claim));
        await edge.QuietAsync(turns: 1);
    }

    [Fact]
    public async Task Who_has_lost_a_session_lets_go_of_its_sockets()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Delta(1))));
        var others = await edge.LocalAnchorAsync(Bridged.OtherThread);
        var anchor = await edge.LocalAnchorAsync();
        var running = edge.CarryAsync("stalls");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        edge.Continuity.Sessions.Supersede(Bridged.Session, Elsewhere);
        // What runs ends: it may be running elsewhere by now.
        (await running).Failed("stream_incomplete");
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 1);
        (await edge.CarryAsync("second", anchor)).Canonical(anchor);
        // Other sessions do not feel it.
        (await edge.CarryAsync("second", others, headers: Bridged.OtherThread)).Completed();
        var rows = await edge.QuietAsync(turns: 5);
        Assert.Equal(("stream_incomplete", "refused"), (rows[2].ErrorCode, rows[3].Status));
        Assert.DoesNotContain(edge.Continuity.Sessions.Released.SelectMany(release => release.Claims), claim => edge.Continuity.Sessions.IsCurrent(claim));
        Assert.Equal(Elsewhere, edge.Continuity.Sessions.HolderOf(Bridged.Session));
        Assert.Empty(edge.Accounts.Marks);
    }

    // The claim goes while the turn waits for its socket: nothing is sent on it.
    [Fact]
    public async Task A_socket_that_opens_for_a_session_that_is_lost_takes_no_turn()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnUpgrade().Once().Stalls()));
        var opens = edge.CarryAsync();
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        edge.Continuity.Sessions.Supersede(Bridged.Session, Elsewhere);
        await Eventually.TrueAsync(() => edge.Log.Entries.Any(entry => entry.Text.Contains("is another edge's by now", StringComparison.Ordinal)));
        edge.Sim.Release();
        // It is served beside, once.
        (await opens).Completed();
        Assert.Single(edge.FramesAt("a"));
        Assert.StartsWith($"{Bridged.Session}~", Assert.Single(await edge.QuietAsync(turns: 1)).Session, StringComparison.Ordinal);
    }

    // The holder's own clock decides: nothing is sent on a claim of which nobody knows whether it holds.
    [Fact]
    public async Task Past_its_lease_a_thread_waits_for_the_store()
    {
        await using var edge = await RunningEdge.StartAsync();
        var anchor = await edge.LocalAnchorAsync();
        var soft = await edge.SendAsync(Bridged.Body(more: ",\"prompt_cache_key\":\"k\""));
        (string, string)[] session = [("session-id", "s")];
        await edge.LocalAnchorAsync(session);
        edge.Continuity.Sessions.IsAway = true;
        var began = Stopwatch.GetTimestamp();
        var turns = 3;
        var refused = await Eventually.GetAsync(() =>
        {
            turns++;
            return edge.CarryAsync("again");
        }, answer => answer.Status != 200);
        // Nine seconds from the last renewal, which was at most two before.
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(15));
        Assert.Equal(LookupMessage, refused.Refused(502, "upstream_unavailable").Message());
        Assert.Equal("1", refused.Header("retry-after"));
        var before = edge.FramesAt("a").Count;
        (await edge.CarryAsync("second", anchor)).Refused(502, "upstream_unavailable");
        Assert.Equal(before, edge.FramesAt("a").Count);
        // Weaker names are no duty.
        (await edge.CarryAsync(headers: session)).Completed();
        (await edge.SendAsync(Bridged.Body("second", soft.Id, more: ",\"prompt_cache_key\":\"k\""))).Completed();
        var handshakes = edge.HandshakesAt("a");
        edge.Continuity.Sessions.IsAway = false;
        (await edge.CarryAsync("back")).Completed();
        // On the socket it had.
        Assert.Equal(handshakes, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns + 4);
        Assert.Empty(edge.Accounts.Marks);
    }

    // While it was away for shorter than a lease nobody notices.
    [Fact]
    public async Task Within_its_lease_nothing_is_asked_of_the_store()
    {
        await using var edge = await RunningEdge.StartAsync();
        var anchor = await edge.LocalAnchorAsync();
        edge.Continuity.Sessions.IsAway = true;
        for (var turn = 0; turn < 3; turn++)
        {
            var answer = await edge.CarryAsync("again", anchor);
            answer.Completed();
            anchor = answer.Id;
        }
        Assert.Equal(1, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 4);
    }

    [Theory]
    [InlineData("thread-id", true)]
    [InlineData("x-codex-turn-state", true)]
    [InlineData("session-id", false)]
    [InlineData("x-codex-conversation-id", false)]
    public async Task A_first_turn_whose_claim_cannot_be_made(string header, bool isHard)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.Sessions.IsAway = true);
        var answer = await edge.CarryAsync(headers: (header, "t"));
        if (isHard)
        {
            Assert.Equal(LookupMessage, answer.Refused(502, "upstream_unavailable").Message());
            Assert.Equal("1", answer.Header("retry-after"));
            Assert.Equal((0, 0), (edge.HandshakesAt("a"), edge.BodiesAt("a").Count));
        }
        else
        {
            answer.Completed();
        }
        edge.Continuity.Sessions.IsAway = false;
        await edge.GoesOnAsync((header, "t"));
        await edge.QuietAsync(turns: 2);
    }

    // The fence: another edge has claimed the session while the turn ran, and its answer is not to be built upon.
    [Theory]
    [InlineData("publish", true)]
    [InlineData("publish", false)]
    [InlineData("write", true)]
    [InlineData("write", false)]
    public async Task A_turn_that_the_fence_stops_does_not_succeed(string what, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Delta(1))));
        var anchor = await edge.LocalAnchorAsync();
        if (what == "publish")
        {
            edge.Continuity.OnPublish = _ => Task.FromResult(412);
        }
        else
        {
            edge.Continuity.Sessions.OnWrite = _ => Task.FromResult(409);
        }
        var answer = await edge.CarryAsync("second", anchor, stream);
        if (stream)
        {
            answer.Failed("stream_incomplete");
            Assert.DoesNotContain(answer.Events, one => one.Type() == "response.completed");
        }
        else
        {
            answer.Refused(502, "stream_incomplete");
        }
        var rows = await edge.QuietAsync(turns: 2);
        Assert.NotEqual("success", rows[1].Status);
        Assert.Equal("stream_incomplete", rows[1].ErrorCode);
    }

    [Fact]
    public async Task A_publication_that_takes_long_holds_nobody_up()
    {
        var gate = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var edge = await RunningEdge.StartAsync();
        await edge.LocalAnchorAsync();
        edge.Continuity.OnPublish = _ => gate.Task;
        edge.Continuity.Sessions.OnWrite = _ => gate.Task;
        var began = Stopwatch.GetTimestamp();
        (await edge.CarryAsync()).Completed();
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromMilliseconds(400), TimeSpan.FromSeconds(3));
        gate.SetResult(204);
        await edge.QuietAsync(turns: 2);
    }
}

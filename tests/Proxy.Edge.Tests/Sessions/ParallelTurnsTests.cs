using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Several turns at once: of one conversation, and of many.</summary>
public sealed class ParallelTurnsTests
{
    [Fact]
    public async Task A_turn_without_an_anchor_does_not_wait_for_a_long_one()
    {
        await using var edge = await RunningEdge.StartAsync(Stalls);
        var long1 = edge.CarryAsync("stalls 1");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        var long2 = edge.CarryAsync("stalls 2");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
        (await edge.CarryAsync("short")).Completed();
        (await edge.CarryAsync("short")).Completed();
        // The third socket was idle again for the fourth turn.
        Assert.Equal((3, false, false), (edge.HandshakesAt("a"), long1.IsCompleted, long2.IsCompleted));
        edge.Sim.Release();
        foreach (var (answer, input) in new[] { (await long1, "stalls 1"), (await long2, "stalls 2") })
        {
            answer.Completed();
            Assert.Contains($"You said: {input}.", answer.Body, StringComparison.Ordinal);
        }
        await edge.GoesOnAsync();
        Assert.Equal(3, edge.HandshakesAt("a"));
        Assert.All(await edge.QuietAsync(turns: 5), row => Assert.Equal(Bridged.Session, row.Session));
        Assert.Single(edge.Continuity.Sessions.Claimed);
    }

    [Fact]
    public async Task A_turn_with_a_stored_anchor_does_not_wait_either()
    {
        await using var edge = await RunningEdge.StartAsync(Stalls);
        var anchor = await edge.StoredAnchorAsync();
        var stalled = edge.CarryAsync("stalls");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        (await edge.CarryAsync("short", anchor)).Completed();
        Assert.False(stalled.IsCompleted);
        edge.Sim.Release();
        (await stalled).Completed();
        await edge.QuietAsync(turns: 3);
    }

    [Fact]
    public async Task Follow_ups_wait_for_their_socket_in_their_order()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Answer(answer => answer with { Unchecked = true }).Stalls(Position.Created));
            edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        });
        var anchor = await edge.LocalAnchorAsync();
        List<Task<Bridged.Answer>> turns = [edge.CarryAsync("stalls", anchor)];
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        for (var turn = 1; turn <= 3; turn++)
        {
            turns.Add(edge.CarryAsync($"number {turn}", anchor));
            await edge.MeanwhileAsync();
        }
        Assert.Equal((1, 2), (edge.HandshakesAt("a"), edge.FramesAt("a").Count));
        // A turn without an anchor goes past them.
        (await edge.CarryAsync("beside")).Completed();
        edge.Sim.Release();
        Array.ForEach(await Task.WhenAll(turns), answer => answer.Completed());
        var socket = edge.Sim.Recorded.Sockets.First();
        Assert.Equal(["first", "stalls", "number 1", "number 2", "number 3"], socket.Received.Select(frame => frame.Json.GetProperty("input").GetString()));
        Assert.Equal(2, edge.HandshakesAt("a"));
        // One at a time: each frame came after the end of the one before.
        var order = socket.Frames.Where(frame => frame.FromClient || frame.Type == "response.completed").Select(frame => frame.FromClient);
        Assert.Equal([true, false, true, false, true, false, true, false, true, false], order);
        await edge.QuietAsync(turns: 6 + (3 * Bridged.Pauses));
    }

    // A prewarm, which generates nothing, counts as any turn.
    [Theory]
    [InlineData("")]
    [InlineData(",\"generate\":false")]
    public async Task Past_its_limit_the_queue_takes_no_more(string more)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" })
            .Answer(answer => answer with { Unchecked = true }).Stalls(Position.Created)), "Sessions:QueueLimit=1");
        edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        var anchor = await edge.LocalAnchorAsync();
        var first = edge.CarryAsync("stalls", anchor);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        Task<Bridged.Answer>[] two = [edge.CarryAsync("second", anchor, more: more), edge.CarryAsync("third", anchor, more: more)];
        var refused = await await Task.WhenAny(two);
        Assert.Equal("rate_limit_error", (string?)refused.Refused(429, "rate_limit_exceeded").Error()!["type"]);
        Assert.NotNull(refused.Header("retry-after"));
        edge.Sim.Release();
        (await first).Completed();
        Assert.Single(await Task.WhenAll(two), answer => answer.Status == 200);
        Assert.Equal(3, edge.FramesAt("a").Count);
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 5);
        Assert.Empty(edge.Accounts.Marks);
    }

    [Fact]
    public async Task A_scope_has_only_so_many_sockets_and_then_turns_wait()
    {
        await using var edge = await RunningEdge.StartAsync(Stalls, "Sessions:MaxSocketsPerScope=2");
        Task<Bridged.Answer>[] stalled = [edge.CarryAsync("stalls"), edge.CarryAsync("stalls")];
        await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
        var third = edge.CarryAsync("third");
        // Other conversations do not feel it.
        (await edge.CarryAsync("other", headers: Bridged.OtherThread)).Completed();
        await edge.MeanwhileAsync();
        Assert.Equal((3, false), (edge.HandshakesAt("a"), third.IsCompleted));
        edge.Sim.Release();
        Array.ForEach([.. await Task.WhenAll(stalled), await third], answer => answer.Completed());
        Assert.Equal(3, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 4 + Bridged.Pauses);
    }

    [Fact]
    public async Task The_socket_that_was_not_used_for_longest_gives_way()
    {
        await using var edge = await RunningEdge.StartAsync(null, "Sessions:MaxSockets=2");
        var (a, b, c) = (("thread-id", "a"), ("thread-id", "b"), ("thread-id", "c"));
        var ofA = await edge.LocalAnchorAsync(a);
        var ofB = await edge.LocalAnchorAsync(b);
        (await edge.CarryAsync(anchor: ofA, headers: a)).Completed();
        (await edge.CarryAsync(headers: c)).Completed();
        await Eventually.TrueAsync(() => edge.OpenAt("a") <= 2);
        Assert.Equal((3, 2), (edge.HandshakesAt("a"), edge.OpenAt("a")));
        // a's is there still, b's is gone.
        (await edge.CarryAsync(headers: a)).Completed();
        Assert.Equal(3, edge.HandshakesAt("a"));
        (await edge.CarryAsync(anchor: ofB, headers: b)).Canonical(ofB);
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.HolderOf(FakeSessions.NameOf("thread:b")) is null);
        Assert.NotNull(edge.Continuity.Sessions.HolderOf(FakeSessions.NameOf("thread:a")));
        await edge.QuietAsync(turns: 6);
    }

    [Fact]
    public async Task However_many_give_way_there_are_never_more()
    {
        await using var edge = await RunningEdge.StartAsync(null, "Sessions:MaxSockets=2");
        for (var turn = 0; turn < 8; turn++)
        {
            (await edge.CarryAsync(headers: ("thread-id", $"{turn}"))).Completed();
            await Eventually.TrueAsync(() => edge.OpenAt("a") <= 2, TimeSpan.FromSeconds(5));
        }
        await edge.QuietAsync(turns: 8);
    }

    [Fact]
    public async Task A_socket_that_has_ended_takes_no_room()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Cuts(Position.Delta(1))), "Sessions:MaxSockets=1");
        (await edge.CarryAsync()).Failed("stream_incomplete");
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2);
    }

    [Fact]
    public async Task Where_all_sockets_are_busy_a_turn_is_refused()
    {
        await using var edge = await RunningEdge.StartAsync(Stalls, "Sessions:MaxSockets=1");
        var stalled = edge.CarryAsync("stalls");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        (await edge.CarryAsync("other", headers: Bridged.OtherThread)).Refused(429, "rate_limit_exceeded");
        Assert.Single(edge.FramesAt("a"));
        edge.Sim.Release();
        (await stalled).Completed();
        await edge.QuietAsync(turns: 2);
        // The socket is free again soon after its turn has ended.
        var turns = 2;
        await Eventually.TrueAsync(async () =>
        {
            turns++;
            return (await edge.CarryAsync("other", headers: Bridged.OtherThread)).Status == 200;
        }, TimeSpan.FromSeconds(5));
        await edge.QuietAsync(turns);
        Assert.Empty(edge.Accounts.Marks);
    }

    [Fact]
    public async Task The_first_turns_of_a_conversation_make_one_claim_together()
    {
        await using var edge = await RunningEdge.StartAsync();
        var gate = Gated(edge, _ => true);
        var turns = Enumerable.Range(0, 6).Select(turn => edge.CarryAsync($"turn {turn}")).ToList();
        await Eventually.TrueAsync(() => !edge.Continuity.Sessions.Claimed.IsEmpty);
        await edge.MeanwhileAsync();
        gate.SetResult();
        var answers = await Task.WhenAll(turns);
        for (var turn = 0; turn < answers.Length; turn++)
        {
            answers[turn].Completed();
            Assert.Contains($"You said: turn {turn}.", answers[turn].Body, StringComparison.Ordinal);
        }
        Assert.Single(edge.Continuity.Sessions.Claimed);
        // Nothing leaks: every socket that was opened is one of the session's.
        Assert.InRange(edge.HandshakesAt("a"), 1, 6);
        Assert.Equal(edge.HandshakesAt("a"), edge.OpenAt("a"));
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 7 + Bridged.Pauses);
    }

    [Fact]
    public async Task A_claim_that_hangs_delays_no_other_conversation()
    {
        await using var edge = await RunningEdge.StartAsync();
        var gate = Gated(edge, claim => claim == Bridged.Session);
        var hangs = edge.CarryAsync("hangs");
        await Eventually.TrueAsync(() => !edge.Continuity.Sessions.Claimed.IsEmpty);
        foreach (var scope in (string[])["u", "v", "w"])
        {
            (await edge.CarryAsync(headers: ("thread-id", scope))).Completed();
        }
        Assert.False(hangs.IsCompleted);
        gate.SetResult();
        (await hangs).Completed();
        await edge.QuietAsync(turns: 4);
    }

    [Fact]
    public async Task A_handshake_that_hangs_delays_no_other_conversation()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnUpgrade().Once().Stalls()));
        var hangs = edge.CarryAsync("hangs");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        (await edge.CarryAsync(headers: Bridged.OtherThread)).Completed();
        Assert.False(hangs.IsCompleted);
        edge.Sim.Release();
        (await hangs).Completed();
        await edge.QuietAsync(turns: 2);
    }

    [Fact]
    public async Task A_socket_that_did_not_open_takes_no_room()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnUpgrade().Once().Refuses(422, "invalid_prompt", "No.")), "Sessions:MaxSockets=1");
        (await edge.CarryAsync()).Refused(422, "invalid_prompt");
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2);
    }

    private static void Stalls(RunningEdge edge) => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Created));

    private static TaskCompletionSource Gated(RunningEdge edge, Func<string, bool> waits)
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        edge.Continuity.Sessions.OnClaim = async request =>
        {
            if (waits(request.Session))
            {
                await gate.Task;
            }
            return edge.Continuity.Sessions.Claim(request);
        };
        return gate;
    }
}

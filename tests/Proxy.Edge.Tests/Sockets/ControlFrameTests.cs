using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sockets;

/// <summary>Frames about a response (steering, interrupting) name it and not its lane; their answers, and what follows from them, may come after its end.</summary>
public sealed class ControlFrameTests
{
    private static readonly Position Begun = Position.Delta(1);

    [Theory]
    [InlineData(false, "s1")]
    [InlineData(true, "s1")]
    [InlineData(false, null)]
    public async Task An_interrupt_reaches_its_response_whose_id_is_an_anchor_from_then_on(bool lanes, string? lane)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: lanes);
            edge.Sim.Script(rule => rule.Turn(1).Stalls(Begun));
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("long", lane, store: false));
            var id = (await socket.UntilAsync("response.created")).Id();
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await socket.SendAsync($$"""{"type":"response.interrupt","response_id":"{{id}}","mode":"discard_partial_items"}""");
            await socket.UntilAsync("response.interrupt.accepted");
            var ended = await socket.UntilAsync("response.incomplete");
            Assert.Equal((id, lane, "interrupted"), (ended.Id(), ended.Lane(), (string?)ended["response"]!["incomplete_details"]!["reason"]));
            Told.Completed(await socket.AskAsync(Asking.Frame("go on", lane, store: false, anchor: id)));
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Equal(["incomplete", "success"], edge.Continuity.Rows.Select(row => row.Status).Order());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_steer_goes_to_the_account_on_which_its_response_runs(bool lanes)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: lanes);
            edge.Add("b", lanes: lanes);
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "long" }).Answer(answer => answer with { Unchecked = true }).Stalls(Begun));
            edge.Continuity.Own("resp_a", "a");
            edge.Continuity.Own("resp_b", "b");
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("long", "s1", anchor: "resp_b"));
            var id = (await socket.UntilAsync("response.created")).Id()!;
            await socket.SendAsync(Asking.Frame("long", "s2", anchor: "resp_a"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
            await socket.SendAsync(Steer(id));
            await socket.UntilAsync("response.steer.accepted");
            Assert.Equal("s1", (await socket.UntilAsync("response.incomplete")).Lane());
            edge.Sim.Release();
        }
        Assert.Equal("b", edge.Sim.Recorded.Sockets.Single(one => one.Received.Any(frame => frame.Type == "response.steer")).Account);
    }

    // To whomever it was sent instead, it would be about nothing there either.
    [Fact]
    public async Task What_names_a_response_that_does_not_run_here_is_told_so()
    {
        await using var edge = await RunningEdge.StartAsync();
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Steer("resp_x"));
            var failed = await socket.UntilAsync("response.steer.failed");
            Assert.Equal(("response_not_found", "resp_x"), (failed.Code(), (string?)failed["steer"]!["previous_response_id"]));
            foreach (var type in (string[])["response.interrupt", "response.inject", "response.cancel", "response.anything"])
            {
                await socket.SendAsync($$"""{"type":"{{type}}","response_id":"resp_x"}""");
                var error = await socket.UntilAsync("error");
                Assert.Equal(("response_not_found", 400), (error.Code(), (int)error["status"]!));
            }
            await socket.StillWorksAsync();
        }
        Assert.All(edge.Sim.Recorded.Sockets, socket => Assert.DoesNotContain(socket.Received, frame => frame.Type != "response.create"));
    }

    [Theory]
    [InlineData(true, null)]
    [InlineData(false, null)]
    [InlineData(true, "x")]
    [InlineData(false, "x")]
    public async Task A_successor_that_comes_after_the_end_is_a_turn_of_its_own(bool lanes, string? lane)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: lanes);
            edge.Sim.Script(rule => rule.Once()
                .Inserts(Event("created", "in_progress", ",\"previous_response_id\":\"{response_id}\""), Position.Terminal)
                .Inserts("""{"type":"response.output_text.delta","sequence_number":1,"delta":"more"}""", Position.Terminal)
                .Stalls(Position.Terminal)
                .Inserts(Event("completed", "completed", ",\"usage\":{\"input_tokens\":5,\"output_tokens\":7}"), Position.Terminal)
                .Inserts("""{"type":"response.steer.pending","sequence_number":9,"steer":{"id":"steer_1","previous_response_id":"{response_id}"}}""", Position.Terminal));
        });
        using (var socket = await edge.ConnectAsync(headers: ("thread-id", "t")))
        {
            await socket.SendAsync(Asking.Frame("first", lane, store: false));
            await socket.UntilAsync("response.completed");
            var created = await socket.UntilAsync("response.created");
            Assert.Equal(("resp_next", lane), (created.Id(), created.Lane()));
            // It is counted like any other turn while it runs.
            await Eventually.TrueAsync(() => edge.Accounts.Slots == 1 && edge.Leases.Count == 1);
            edge.Sim.Release();
            var completed = await socket.UntilAsync("response.completed");
            Assert.Equal(("resp_next", lane), (completed.Id(), completed.Lane()));
            Assert.Equal(lane, (await socket.UntilAsync("response.steer.pending")).Lane());
            await socket.StillWorksAsync(lane);
        }
        await edge.NothingIsLeftAsync(turns: 3);
        var row = Assert.Single(edge.Continuity.Rows, row => row.RequestId == "resp_next");
        Assert.Equal(("success", "acc-a", "t", 5L, 7L), (row.Status, row.AccountId, row.SessionId, row.InputTokens, row.OutputTokens));
        Assert.Equal("acc-a", edge.Continuity.OwnerOf("resp_next")!.AccountId);
    }

    [Fact]
    public async Task A_successor_that_breaks_fails_under_its_own_id()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once()
            .Inserts(Event("created", "in_progress", ",\"previous_response_id\":\"{response_id}\""), Position.Terminal).Stalls(Position.Terminal).Cuts(Position.Terminal)));
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("first"));
            await socket.UntilAsync("response.completed");
            await socket.UntilAsync("response.created");
            edge.Sim.Release();
            var failed = await socket.UntilAsync("response.failed");
            Assert.Equal(("resp_next", "stream_incomplete"), (failed.Id(), failed.Code()));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 3);
    }

    // A response that nobody steered, and that continues none that ended here, is somebody else's.
    [Fact]
    public async Task A_response_that_continues_nothing_here_reaches_nobody()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once()
            .Inserts(Event("created", "in_progress", ",\"previous_response_id\":\"resp_of_another\""), Position.Terminal)
            .Inserts(Event("completed", "completed", ""), Position.Terminal)));
        using (var socket = await edge.ConnectAsync())
        {
            Told.Completed(await socket.AskAsync(Asking.Frame("first")));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    private static string Steer(string id) =>
        $$"""{"type":"response.steer","previous_response_id":"{{id}}","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"left"}]}]}""";

    private static string Event(string type, string status, string more) =>
        $$$"""{"type":"response.{{{type}}}","sequence_number":0,"response":{"id":"resp_next","object":"response","status":"{{{status}}}","output":[]{{{more}}}}}""";
}

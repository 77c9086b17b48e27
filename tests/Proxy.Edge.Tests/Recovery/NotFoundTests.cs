using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Rules 3, 7 and 8 over WebSocket.</summary>
public sealed class NotFoundTests
{
    public static TheoryData<string> Shapes => [.. Rejections.NotFound];

    // In every shape that upstream gives it.
    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task A_stored_anchor_is_tried_once_more_on_a_fresh_socket_of_its_owner(string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().SaysNotFound(shape));
        });
        using (var socket = await edge.ConnectAsync())
        {
            var frame = Asking.Frame("second", anchor: await socket.AnchorAsync());
            Told.Completed(await socket.AskAsync(frame));
            Assert.Equal([frame, frame], edge.FramesAt("a").Skip(1));
            Assert.Equal((2, 0), (edge.SocketsUsedAt("a"), edge.FramesAt("b").Count));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 3, "a", "b");
        Assert.Empty(edge.Accounts.Marks);
        Assert.Empty(edge.Continuity.Rejected);
        Assert.All(edge.Continuity.Rows, row => Assert.Equal("success", row.Status));
        Assert.Single(edge.Continuity.Rows, row => row.Continuity?.Contains("replays=1; reason=previous_response_not_found", StringComparison.Ordinal) == true);
    }

    // Codex is told at once, others the second time, whether the owner is known or not.
    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task An_anchor_that_is_lost_twice_is_told_so(bool codex, bool known)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).SaysNotFound()));
        using (var socket = await edge.ConnectAsAsync(codex))
        {
            var anchor = known ? await socket.AnchorAsync() : "resp_unknown";
            var before = edge.FramesAt("a").Count;
            var frame = Asking.Frame("second", anchor: anchor);
            var first = await socket.AskAsync(frame);
            Assert.Equal([frame, frame], edge.FramesAt("a").Skip(before));
            if (codex)
            {
                Told.Canonical(Assert.Single(first));
            }
            else
            {
                Told.Masked(first);
                Told.Canonical(Assert.Single(await socket.AskAsync(frame)));
            }
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: (known ? 1 : 0) + (codex ? 1 : 2) + 1);
        Assert.Empty(edge.Accounts.Marks);
    }

    // Rule 8: with store:false the id died with what upstream forgot; trying again is certain to fail.
    [Theory]
    [InlineData(true, "code")]
    [InlineData(true, "failed")]
    [InlineData(false, "code")]
    [InlineData(false, "failed")]
    [InlineData(false, "message")]
    public async Task A_connection_local_anchor_is_not_tried_again(bool codex, string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().SaysNotFound(shape)));
        using (var socket = await edge.ConnectAsAsync(codex))
        {
            var events = await socket.AskAsync(Asking.Frame("second", store: false, anchor: await socket.AnchorAsync(store: false)));
            Assert.Equal(2, edge.FramesAt("a").Count);
            Assert.Single(events);
            if (codex)
            {
                Told.Canonical(events[0]);
            }
            else
            {
                Told.Masked(events);
                Assert.Single(edge.Continuity.Rejected, one => one.KeyId == "key-1");
            }
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 3);
    }

    // Rule 3.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_local_anchor_whose_socket_is_gone_never_goes_upstream(bool codex)
    {
        await using var edge = await RunningEdge.StartAsync();
        string anchor;
        using (var first = await edge.ConnectAsync())
        {
            anchor = await first.AnchorAsync(store: false);
        }
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
        using (var socket = await edge.ConnectAsAsync(codex))
        {
            var events = await socket.AskAsync(Asking.Frame("second", store: false, anchor: anchor));
            Assert.Single(edge.FramesAt("a"));
            if (codex)
            {
                Told.Canonical(Assert.Single(events));
            }
            else
            {
                Told.Masked(events);
                Told.Canonical(Assert.Single(await socket.AskAsync(Asking.Frame("second", store: false, anchor: anchor))));
            }
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: codex ? 3 : 4);
    }

    // Whatever id it carries, once the response has begun the turn fails with its own id and is never replayed.
    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task After_created_the_turn_fails_under_its_own_id(string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().SaysNotFound(shape, Position.Created)));
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(Asking.Frame("second", anchor: await socket.AnchorAsync()));
            Assert.Equal("response.created", events[0].Type());
            Told.Masked(events);
            Assert.Equal(2, edge.FramesAt("a").Count);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 3);
        Assert.Empty(edge.Accounts.Marks);
    }

    [Theory]
    [InlineData("code")]
    [InlineData("failed foreign")]
    public async Task After_created_Codex_is_told_the_truth(string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().SaysNotFound(shape, Position.Created)));
        using (var socket = await edge.ConnectAsAsync(codex: true))
        {
            var events = await socket.AskAsync(Asking.Frame("second", anchor: await socket.AnchorAsync()));
            Assert.Equal("previous_response_not_found", events[^1].Code());
            Assert.DoesNotContain("resp_foreign", events[^1].ToJsonString(), StringComparison.Ordinal);
            Assert.Equal(2, edge.FramesAt("a").Count);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 3);
    }

    [Theory]
    [InlineData("masked", true, false)]
    [InlineData("masked", false, false)]
    [InlineData("canonical", true, true)]
    [InlineData("canonical", false, true)]
    public async Task The_contract_can_be_chosen(string contract, bool codex, bool canonical)
    {
        await using var edge = await RunningEdge.StartAsync(null, $"Continuity:NotFoundContract={contract}");
        edge.Continuity.Own("resp_local", "a", stored: false);
        using (var socket = await edge.ConnectAsAsync(codex))
        {
            for (var attempt = 0; attempt < 2; attempt++)
            {
                var events = await socket.AskAsync(Asking.Frame(anchor: "resp_local"));
                if (canonical)
                {
                    Told.Canonical(Assert.Single(events));
                }
                else
                {
                    Told.Masked(events);
                }
            }
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 3);
    }

    // Each key and anchor has its own memory.
    [Fact]
    public async Task The_first_not_found_of_one_anchor_is_not_the_second_of_another()
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Continuity.Own("resp_1", "a", stored: false);
        edge.Continuity.Own("resp_2", "a", stored: false);
        using var socket = await edge.ConnectAsync();
        Told.Masked(await socket.AskAsync(Asking.Frame(anchor: "resp_1")));
        Told.Masked(await socket.AskAsync(Asking.Frame(anchor: "resp_2")));
        Told.Canonical((await socket.AskAsync(Asking.Frame(anchor: "resp_1")))[^1]);
        Assert.Equal(["resp_1", "resp_2", "resp_1"], edge.Continuity.Rejected.Select(one => one.Anchor));
    }

    [Fact]
    public async Task Without_the_memory_of_rejections_the_client_is_still_answered()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.ForgetsRejections = true);
        edge.Continuity.Own("resp_1", "a", stored: false);
        using (var socket = await edge.ConnectAsync())
        {
            var last = (await socket.AskAsync(Asking.Frame(anchor: "resp_1")))[^1];
            Assert.Contains(last.Code(), new[] { "stream_incomplete", "previous_response_not_found" });
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    // While the service is away this edge remembers for itself.
    [Fact]
    public async Task Without_the_memory_of_all_edges_an_edge_has_its_own()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.ForgetsRejections = true);
        edge.Continuity.Own("resp_1", "a", stored: false);
        using (var socket = await edge.ConnectAsync())
        {
            Told.Masked(await socket.AskAsync(Asking.Frame(anchor: "resp_1")));
            Told.Canonical((await socket.AskAsync(Asking.Frame(anchor: "resp_1")))[^1]);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 3);
    }

    // Byte for byte, on every key kind.
    [Theory]
    [InlineData(false, "previous_response_not_found", "previous_response_id", "Previous response not found.")]
    [InlineData(true, "invalid_request_error", "previous_response_id", "Invalid request payload")]
    [InlineData(true, "invalid_request_error", "input", "Previous response item not found.")]
    [InlineData(true, "invalid_request_error", "input", "Invalid request payload")]
    [InlineData(true, "context_length_exceeded", "input", "Your input exceeds the context window of this model.")]
    [InlineData(false, "context_length_exceeded", "input", "Your input exceeds the context window of this model.")]
    [InlineData(true, "invalid_encrypted_content", null, "The encrypted content could not be verified.")]
    [InlineData(true, "invalid_prompt", null, "Previous response")]
    public async Task What_is_no_lost_anchor_passes_as_it_came(bool followUp, string code, string? param, string message)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "error" }).Then(new ErrorStep { Status = 400, Code = code, Param = param, Message = message }));
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "fails" }).Then(new FailedStep { Type = "invalid_request_error", Code = code, Param = param, Message = message }));
        });
        using (var socket = await edge.ConnectAsAsync(codex: false))
        {
            var anchor = followUp ? await socket.AnchorAsync() : null;
            foreach (var input in (string[])["error", "fails"])
            {
                await socket.SendAsync(Asking.Frame(input, anchor: anchor));
                var received = Assert.Single(await socket.UntilTerminalAsync());
                Assert.Equal(edge.Sim.Recorded.Sockets.SelectMany(one => one.Sent).OrderBy(frame => frame.At).Last().Text, received);
            }
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: followUp ? 4 : 3);
        Assert.Empty(edge.Accounts.Marks);
        Assert.Empty(edge.Continuity.Rejected);
    }

    // The handshake of a follow-up.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_handshake_that_is_refused_so_is_no_leak_either(bool codex)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
            edge.Sim.Script(rule => rule.OnUpgrade().Then(new StatusStep(400) { Code = "previous_response_not_found", Param = "previous_response_id", Message = "lost" })));
        using (var socket = await edge.ConnectAsAsync(codex))
        {
            var events = await socket.AskAsync(Asking.Frame(anchor: "resp_unknown"));
            if (codex)
            {
                Told.Canonical(Assert.Single(events));
            }
            else
            {
                Told.Masked(events);
            }
            edge.Sim.ClearScript();
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Empty(edge.Accounts.Marks);
    }

    // The second time surfaces whatever comes: one replay, no more (rule 2).
    [Fact]
    public async Task What_becomes_of_the_second_try_is_final()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().SaysNotFound());
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().Errors(503, "server_is_overloaded"));
        });
        using (var socket = await edge.ConnectAsync())
        {
            var last = Assert.Single(await socket.AskAsync(Asking.Frame("second", anchor: await socket.AnchorAsync())));
            Assert.Equal("server_is_overloaded", last.Code());
            Assert.Equal(3, edge.FramesAt("a").Count);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 3, "a", "b");
    }
}

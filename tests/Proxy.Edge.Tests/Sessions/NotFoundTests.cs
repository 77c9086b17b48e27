using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Lost anchors of turns that a session carries.</summary>
public sealed class NotFoundTests
{
    public static TheoryData<string> Shapes => [.. Rejections.NotFound];

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task A_stored_anchor_is_tried_once_more_on_a_fresh_socket_of_its_owner(string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"));
        var anchor = await edge.StoredAnchorAsync();
        await edge.GoesOnAsync();
        edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().SaysNotFound(shape));
        var body = Bridged.Body("second", anchor);
        var answer = await edge.SendAsync(body, headers: Bridged.Thread);
        answer.Completed();
        Assert.Contains($"Anchor: {anchor}", answer.Body, StringComparison.Ordinal);
        Assert.Equal([Bridged.FrameOf(body), Bridged.FrameOf(body)], edge.FramesAt("a").Skip(1));
        Assert.Equal((2, 0), (edge.SocketsUsedAt("a"), edge.HandshakesAt("b")));
        await edge.GoesOnAsync();
        var rows = await edge.QuietAsync(turns: 4);
        Assert.Equal("success", rows[2].Status);
        Assert.Contains("replays=1; reason=previous_response_not_found", rows[2].Continuity, StringComparison.Ordinal);
        Assert.Empty(edge.Accounts.Marks);
        Assert.Empty(edge.Continuity.Rejected);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task An_anchor_that_is_lost_twice_is_masked_and_then_told(bool known, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"));
        var anchor = known ? await edge.StoredAnchorAsync() : "resp_unknown";
        edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).SaysNotFound());
        (await edge.CarryAsync("second", anchor, stream)).Masked();
        Assert.Equal(2, edge.FramesAt("a").Count);
        (await edge.CarryAsync("second", anchor, stream)).Canonical(anchor);
        await edge.GoesOnAsync();
        Assert.Equal(0, edge.HandshakesAt("b"));
        await edge.QuietAsync(turns: known ? 4 : 3);
        Assert.Empty(edge.Accounts.Marks);
    }

    // Its socket has let go of it: nothing is to be had by asking again.
    [Theory]
    [InlineData("code", true)]
    [InlineData("code", false)]
    [InlineData("failed", true)]
    [InlineData("failed anonymous", true)]
    [InlineData("message", false)]
    [InlineData("lines", true)]
    public async Task An_anchor_of_the_session_itself_is_not_tried_again(string shape, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().SaysNotFound(shape)));
        var anchor = await edge.LocalAnchorAsync();
        (await edge.CarryAsync("second", anchor, stream)).Canonical(anchor);
        Assert.Equal(2, edge.FramesAt("a").Count);
        await edge.GoesOnAsync();
        // Upstream would not find it; whether it is asked or not, the client is told by now.
        (await edge.CarryAsync("third", anchor, stream)).Canonical(anchor);
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 5);
        Assert.Empty(edge.Accounts.Marks);
    }

    // Rule 3: minted on a socket that no session has, such as a client's own WebSocket.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_anchor_of_a_socket_that_is_no_sessions_never_goes_upstream(bool hasScope)
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Continuity.Own("resp_local", "a", stored: false);
        var first = await edge.CarryAsync("second", "resp_local", headers: hasScope ? [Bridged.Thread] : [("x-none", "1")]);
        Assert.True(first.Status is 502 or 400, $"{first.Status}: {first.Body}");
        (await edge.CarryAsync("second", "resp_local", headers: hasScope ? [Bridged.Thread] : [("x-none", "1")])).Canonical("resp_local");
        Assert.Equal((0, 0), (edge.FramesAt("a").Count, edge.BodiesAt("a").Count));
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 3);
    }

    // In whatever shape it comes, nothing of it leaks once the response has begun. Of an anchor that lived on the socket the client learns that it
    // is dead; of any other it is asked to try again.
    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task After_created_the_stream_fails_under_its_own_id(string shape)
    {
        foreach (var local in (bool[])[false, true])
        {
            await using var edge = await RunningEdge.StartAsync();
            var anchor = local ? await edge.LocalAnchorAsync() : await edge.StoredAnchorAsync();
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().SaysNotFound(shape, Position.Created));
            var answer = await edge.CarryAsync("second", anchor);
            Assert.Equal("response.created", answer.Events[0].Type());
            if (local)
            {
                answer.Failed("previous_response_not_found");
                Assert.Contains(anchor, answer.Events[^1].Message(), StringComparison.Ordinal);
            }
            else
            {
                answer.Masked();
            }
            Assert.DoesNotContain("resp_foreign", answer.Body, StringComparison.Ordinal);
            Assert.Equal(local ? 2 : 1, edge.FramesAt("a").Count);
            await edge.GoesOnAsync();
            Assert.Equal("failed", (await edge.QuietAsync(turns: 3))[1].Status);
            Assert.Empty(edge.Accounts.Marks);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_created_an_answer_that_is_not_streamed_is_a_status(bool local)
    {
        await using var edge = await RunningEdge.StartAsync();
        var anchor = local ? await edge.LocalAnchorAsync() : await edge.StoredAnchorAsync();
        edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().SaysNotFound("code", Position.Created));
        var answer = await edge.CarryAsync("second", anchor, stream: false);
        if (local)
        {
            answer.Canonical(anchor);
        }
        else
        {
            answer.Masked();
        }
        Assert.Equal(local ? 2 : 1, edge.FramesAt("a").Count);
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 3);
    }

    [Theory]
    [InlineData("masked")]
    [InlineData("canonical")]
    public async Task The_contract_can_be_chosen(string contract)
    {
        await using var edge = await RunningEdge.StartAsync(null, $"Continuity:NotFoundContract={contract}");
        var anchor = await edge.LocalAnchorAsync();
        await edge.Sim.CloseSocketsAsync();
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 0);
        for (var attempt = 0; attempt < 2; attempt++)
        {
            var answer = await edge.CarryAsync("second", anchor);
            if (contract == "masked")
            {
                answer.Masked();
            }
            else
            {
                answer.Canonical(anchor);
            }
        }
        Assert.Single(edge.FramesAt("a"));
        await edge.QuietAsync(turns: 3);
    }

    [Fact]
    public async Task Where_the_owner_cannot_be_looked_up_nothing_is_sent()
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Continuity.OnResolve = _ => Task.FromResult<Proxy.Continuity.Contracts.ResolveResponse?>(null);
        var error = (await edge.CarryAsync("second", "resp_1")).Refused(502, "upstream_unavailable");
        Assert.Equal(Told.LookupFailedMessage, error.Message());
        Assert.Empty(edge.FramesAt("a"));
        edge.Continuity.OnResolve = request => Task.FromResult<Proxy.Continuity.Contracts.ResolveResponse?>(edge.Continuity.Resolve(request));
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2);
    }
}

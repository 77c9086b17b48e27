using System.Text.Json.Nodes;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Rule 9: owners that are away, gone, or cannot be looked up.</summary>
public sealed class OwnerAwayTests
{
    /// <summary>Seconds until the owner is back, demand, status, code.</summary>
    public static TheoryData<int?, string, int, string?> Away => new()
    {
        { 30, "anchor", 502, "upstream_unavailable" },
        { 600, "anchor", 400, "previous_response_not_found" },
        { null, "anchor", 400, "previous_response_not_found" },
        { 30, "conversation", 502, "upstream_unavailable" },
        { 600, "conversation", 404, null },
        { null, "conversation", 404, null },
        { null, "file", 404, null },
    };

    [Theory]
    [MemberData(nameof(Away))]
    public async Task A_socket_turn_is_told_whether_waiting_helps(int? seconds, string demand, int status, string? code)
    {
        await using var edge = await StartAsync(seconds);
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(QuotaTests.Demand("wanted", demand));
            Told.Failed(events, code, status);
            Assert.Equal(status == 502, events[^1].Message() == Told.OwnerAwayMessage);
            Assert.DoesNotContain(edge.Sim.Recorded.TurnFrames, frame => frame.Text.Contains("wanted", StringComparison.Ordinal));
            // The gate is free afterwards (..._releases_response_create_gate).
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2, "a", "b");
        Assert.Equal("acc-b", edge.Continuity.Rows.Single(row => row.Status == "success").AccountId);
        Assert.Single(edge.Continuity.Rows, row => row.Status == "refused" && row.ErrorCode == (code ?? "not_found"));
    }

    [Theory]
    [MemberData(nameof(Away))]
    public async Task An_HTTP_turn_too(int? seconds, string demand, int status, string? code)
    {
        await using var edge = await StartAsync(seconds);
        foreach (var stream in (bool[])[true, false])
        {
            var (told, body) = await edge.AskAsync(Asking.HttpBody(QuotaTests.Demand("wanted", demand), stream));
            Assert.Equal((status, code), (told, JsonNode.Parse(body)!.Code()));
        }
        Assert.Empty(edge.Sim.Recorded.Turns);
        await edge.NothingIsLeftAsync(turns: 2, "a", "b");
    }

    // The demand counts, not the socket that happens to be open.
    [Fact]
    public async Task A_follow_up_goes_to_its_owner_whatever_socket_is_open()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"));
        string anchor;
        edge.Accounts.Remove("a");
        using (var first = await edge.ConnectAsync())
        {
            anchor = await first.AnchorAsync();
        }
        edge.Add("c");
        edge.Add("a");
        edge.Continuity.Bind("thread:t", "c");
        using (var socket = await edge.ConnectAsync(headers: ("thread-id", "t")))
        {
            await socket.StillWorksAsync();
            Assert.Single(edge.FramesAt("c"));
            Told.Completed(await socket.AskAsync(Asking.Frame("second", anchor: anchor)));
            Assert.Equal(2, edge.FramesAt("b").Count);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 4, "a", "b", "c");
        Assert.Empty(edge.Counters.All("continuity.replay"));
    }

    // No turn is left behind that has no end.
    [Theory]
    [InlineData("anchor")]
    [InlineData("conversation")]
    [InlineData("file")]
    public async Task A_lookup_that_fails_is_no_unknown_owner(string demand)
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Continuity.OnResolve = request => Task.FromResult(request.Ids.Count > 0 ? null : edge.Continuity.Resolve(request));
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(QuotaTests.Demand("wanted", demand));
            Told.Failed(events, "upstream_unavailable", 502);
            Assert.Equal(Told.LookupFailedMessage, events[^1].Message());
            Assert.Empty(edge.FramesAt("a"));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    // An owner disabled between two turns: the client is told to rebuild, and its next, full turn is served elsewhere.
    [Fact]
    public async Task When_its_owner_is_gone_a_conversation_goes_on_elsewhere()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"));
        using (var socket = await edge.ConnectAsAsync(codex: true, ("thread-id", "t")))
        {
            var anchor = await socket.AnchorAsync();
            edge.Accounts.Remove("a");
            Told.Canonical(Assert.Single(await socket.AskAsync(Asking.Frame("second", anchor: anchor))));
            Told.Completed(await socket.AskAsync(Asking.Frame("first and second")));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 4, "a", "b");
        Assert.Equal((1, 2), (edge.FramesAt("a").Count, edge.FramesAt("b").Count));
    }

    // A turn without demands only prefers: an account that is away costs it nothing.
    [Fact]
    public async Task A_preference_is_no_demand()
    {
        await using var edge = await StartAsync(30);
        edge.Continuity.Bind("thread:t", "a");
        using (var socket = await edge.ConnectAsync(headers: ("thread-id", "t")))
        {
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Single(edge.FramesAt("b"));
    }

    // An account is busy, not away: waiting its turn is what helps.
    [Fact]
    public async Task An_owner_at_its_cap_is_not_away()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.Own("wanted-id", "a"));
        edge.Accounts.OnAdmit = request => Task.FromResult<AdmissionResponse?>(
            request.Domain is null ? edge.Accounts.Admit(request) : FakeAccounts.Refuse(RefusalReason.AtCapacity));
        using (var socket = await edge.ConnectAsync())
        {
            Told.Failed(await socket.AskAsync(QuotaTests.Demand("wanted", "anchor")), "concurrency_limit_reached", 429);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    /// <summary>The owner <c>a</c> of everything is away for a time or for good, and there is another account.</summary>
    private static Task<RunningEdge> StartAsync(int? seconds) => RunningEdge.StartAsync(edge =>
    {
        edge.Add("b");
        edge.Continuity.Own("wanted-id", "a");
        edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        if (seconds is { } wait)
        {
            edge.Accounts.Cool("a", TimeProvider.System.GetUtcNow().AddSeconds(wait));
        }
        else
        {
            edge.Accounts.Remove("a");
        }
    });
}

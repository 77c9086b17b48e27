using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Which conversation a turn belongs to, and whose.</summary>
public sealed class ScopeTests
{
    private static readonly string[] ByStrength = ["x-codex-turn-state", "thread-id", "session-id", "session_id", "x-codex-session-id", "x-codex-conversation-id"];

    /// <summary>Every header beside all weaker ones.</summary>
    public static TheoryData<int> Strengths => [.. Enumerable.Range(0, ByStrength.Length + 1)];

    // test_owner_lookup_session_id_from_headers_prefers_turn_state_then_session_aliases
    [Theory]
    [MemberData(nameof(Strengths))]
    public async Task The_strongest_name_is_the_scope(int strongest)
    {
        await using var edge = await RunningEdge.StartAsync();
        (string, string)[] headers = [.. ByStrength.Skip(strongest).Select(name => (name, "value of " + name))];
        var expected = strongest < ByStrength.Length ? "value of " + ByStrength[strongest] : "value of the cache key";
        const string cacheKey = ",\"prompt_cache_key\":\"value of the cache key\"";
        await edge.AskAsync(Asking.HttpBody(Asking.Frame(more: cacheKey)), headers);
        using (var socket = await edge.ConnectAsync(headers: headers))
        {
            Told.Completed(await socket.AskAsync(Asking.Frame(more: cacheKey)));
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.All(edge.Continuity.Rows, row => Assert.Equal(expected, row.SessionId));
        Assert.All(edge.Continuity.Published, published => Assert.Equal(expected, published.Owner.SessionId));
        Assert.All(edge.Continuity.Published, published => Assert.EndsWith(':' + expected, published.Scope, StringComparison.Ordinal));
    }

    // On a socket Codex names them in every frame.
    [Theory]
    [InlineData("""{"x-codex-turn-state":"s","thread_id":"t","session_id":"i"}""", "s")]
    [InlineData("""{"thread_id":"t","session_id":"i"}""", "t")]
    [InlineData("""{"session_id":"i"}""", "i")]
    public async Task A_frame_may_name_it_itself(string metadata, string expected)
    {
        await using var edge = await RunningEdge.StartAsync();
        using (var socket = await edge.ConnectAsync())
        {
            Told.Completed(await socket.AskAsync(Asking.Frame(more: $",\"client_metadata\":{metadata},\"prompt_cache_key\":\"c\"")));
        }
        await edge.NothingIsLeftAsync(turns: 1);
        Assert.Equal(expected, (await edge.RowAsync()).SessionId);
    }

    // For both surfaces: an anchor is what the client names and nothing else.
    [Fact]
    public async Task No_anchor_is_ever_inferred()
    {
        await using var edge = await RunningEdge.StartAsync();
        var frame = Asking.Frame("next");
        using (var socket = await edge.ConnectAsync(headers: [("thread-id", "t"), ("session_id", "s")]))
        {
            await socket.AnchorAsync();
            Assert.Contains("Anchor: none", (await socket.AskAsync(frame))[^1].ToJsonString(), StringComparison.Ordinal);
        }
        var (_, body) = await edge.AskAsync(Asking.HttpBody(frame), ("thread-id", "t"), ("session_id", "s"));
        Assert.Contains("Anchor: none", body, StringComparison.Ordinal);
        Assert.Equal(frame, edge.FramesAt("a")[^1]);
        Assert.Equal(Asking.HttpBody(frame), Assert.Single(edge.BodiesAt("a")));
        await edge.NothingIsLeftAsync(turns: 3);
    }

    // The lookup is told the session.
    [Theory]
    [InlineData("x-codex-turn-state")]
    [InlineData("session_id")]
    public async Task The_lookup_is_narrowed_by_it(string header)
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Continuity.Own("resp_1", "a");
        using (var socket = await edge.ConnectAsync(headers: (header, "here")))
        {
            await socket.AskAsync(Asking.Frame(anchor: "resp_1"));
        }
        await edge.AskAsync(Asking.HttpBody(Asking.Frame(anchor: "resp_2")), (header, "here"));
        Assert.All(edge.Continuity.Resolved.Where(request => request.Ids.Any(id => id.Id.StartsWith("resp_", StringComparison.Ordinal))),
            request => Assert.Equal("here", request.SessionId));
        Assert.Contains(edge.Continuity.Resolved, request => request.Ids.Any(id => id.Id == "resp_1"));
        Assert.Contains(edge.Continuity.Resolved, request => request.Ids.Any(id => id.Id == "resp_2"));
    }

    // Two keys with one session name share nothing.
    [Fact]
    public async Task Another_keys_ids_do_not_exist_and_its_scope_is_not_ours()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Continuity.Bind("session:shared", "b", keyId: "key-2");
        });
        string foreign;
        using (var theirs = await edge.ConnectAsync("sk-2", ("session_id", "shared")))
        {
            foreign = await theirs.AnchorAsync();
        }
        Assert.Equal("acc-b", edge.Continuity.OwnerOf(foreign)!.AccountId);
        var sent = edge.Sim.Recorded.TurnFrames.Count();
        using (var ours = await edge.ConnectAsync("sk-1", ("session_id", "shared")))
        {
            // The same as for an id that never was: nothing tells the caller that another key has it.
            Told.Canonical(Assert.Single(await ours.AskAsync(Asking.Frame(anchor: foreign))));
            var (status, body) = await edge.AskAsync(Asking.HttpBody(Asking.Frame(anchor: foreign)), ("session_id", "shared"));
            Assert.Equal((400, "previous_response_not_found"), (status, JsonNode.Parse(body)!.Code()));
            Assert.Equal(sent, edge.Sim.Recorded.TurnFrames.Count() + edge.Sim.Recorded.Turns.Count());
            await ours.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 4, "a", "b");
        Assert.Equal("key-1", Assert.Single(edge.Continuity.Rows, row => row is { Status: "success", AccountId: "acc-a" }).ApiKeyId);
    }

    // Two terminals under one session name: each follow-up continues its own conversation.
    [Fact]
    public async Task Terminals_that_share_a_session_do_not_mix()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"));
        using (var one = await edge.ConnectAsync(headers: [("session_id", "shared")]))
        {
            using var two = await edge.ConnectAsync(headers: [("session_id", "shared")]);
            var first = await one.AnchorAsync(store: false, "of one");
            var second = await two.AnchorAsync(store: false, "of two");
            var next = await one.AskAsync(Asking.Frame("next", store: false, anchor: first));
            Assert.Contains($"Anchor: {first}. Context: 3.", next[^1].ToJsonString(), StringComparison.Ordinal);
            next = await two.AskAsync(Asking.Frame("next", store: false, anchor: second));
            Assert.Contains($"Anchor: {second}. Context: 3.", next[^1].ToJsonString(), StringComparison.Ordinal);
        }
        await edge.NothingIsLeftAsync(turns: 4, "a", "b");
    }

    // What one turn demands says nothing of where the conversation lives.
    [Fact]
    public async Task A_pinned_turn_leaves_the_accounts_choice_for_other_scopes_alone()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Continuity.Own("wanted-id", "b");
            edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        });
        await edge.AskAsync(Asking.HttpBody(Asking.Frame()), ("thread-id", "t1"));
        await edge.AskAsync(Asking.HttpBody(QuotaTests.Demand("wanted", "file")), ("thread-id", "t2"));
        await edge.AskAsync(Asking.HttpBody(Asking.Frame()), ("thread-id", "t1"));
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Count == 3);
        Assert.Equal([("t1", "acc-a"), ("t1", "acc-a"), ("t2", "acc-b")], edge.Continuity.Rows.Select(row => (row.SessionId!, row.AccountId!)).Order());
    }

    [Fact]
    public async Task A_pinned_turn_does_not_take_its_own_conversation_along()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Continuity.Own("wanted-id", "b");
            edge.Continuity.Bind("thread:t1", "a");
            edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        });
        await edge.AskAsync(Asking.HttpBody(QuotaTests.Demand("wanted", "file")), ("thread-id", "t1"));
        await edge.AskAsync(Asking.HttpBody(Asking.Frame()), ("thread-id", "t1"));
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Count == 2);
        Assert.Equal(["acc-b", "acc-a"], edge.Continuity.Rows.OrderBy(row => row.RequestedAt).Select(row => row.AccountId!));
        Assert.DoesNotContain(edge.Continuity.Published, published => published is { Scope: not null, Owner.AccountId: "acc-b" });
    }
}

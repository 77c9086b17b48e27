using Proxy.Edge.Tests.Fixture;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Whose turns share a session.</summary>
public sealed class ScopeTests
{
    private const string Header = "x-codex-turn-state";
    private static readonly (string Name, string Value) OtherKey = ("Authorization", "Bearer sk-2");

    [Theory]
    [InlineData("thread-id", "thread:t")]
    [InlineData("session-id", "session:t")]
    [InlineData("x-codex-turn-state", "state:t")]
    public async Task Two_keys_that_say_the_same_name_share_nothing(string header, string scope)
    {
        await using var edge = await RunningEdge.StartAsync();
        var anchor = await edge.LocalAnchorAsync((header, "t"));
        await edge.LocalAnchorAsync((header, "t"), OtherKey);
        Assert.Equal((2, 2), (edge.SocketsUsedAt("a"), edge.HandshakesAt("a")));
        Assert.Equal([FakeSessions.NameOf(scope), FakeSessions.NameOf(scope, "key-2")], edge.Continuity.Sessions.Claimed.Select(claim => claim.Session));
        // To the other key the anchor does not exist, and nothing of it goes upstream.
        (await edge.CarryAsync("theirs", anchor, headers: [(header, "t"), OtherKey])).Canonical(anchor);
        Assert.Equal(2, edge.FramesAt("a").Count);
        // Its owner goes on with it.
        (await edge.CarryAsync("mine", anchor, headers: [(header, "t")])).Completed();
        Assert.Equal((3, 2), (edge.FramesAt("a").Count, edge.HandshakesAt("a")));
        var rows = await edge.QuietAsync(turns: 4);
        Assert.Equal([FakeSessions.NameOf(scope), FakeSessions.NameOf(scope)], rows.Where(row => row.ApiKeyId == "key-1").Select(row => row.Session));
    }

    // One client's turn state in another's hands opens nothing either.
    [Fact]
    public async Task The_turn_state_of_another_key_finds_no_session()
    {
        await using var edge = await RunningEdge.StartAsync(edge => GivesTurnState(edge, "header"));
        (await edge.CarryAsync()).Completed();
        (await edge.CarryAsync(headers: [(Header, "ts-1"), OtherKey])).Completed();
        Assert.Equal(2, edge.SocketsUsedAt("a"));
        Assert.Null(edge.Sim.Recorded.Sockets.Last().Header(Header));
        var rows = await edge.QuietAsync(turns: 2);
        Assert.Equal([Bridged.Session, FakeSessions.NameOf("state:ts-1", "key-2")], rows.Select(row => row.Session));
    }

    [Fact]
    public async Task Two_kinds_of_name_with_one_value_do_not_meet()
    {
        await using var edge = await RunningEdge.StartAsync();
        string[] headers = ["thread-id", "session-id", "x-codex-conversation-id", Header];
        foreach (var header in headers)
        {
            await edge.LocalAnchorAsync((header, "same"));
        }
        Assert.Equal(4, edge.HandshakesAt("a"));
        Assert.Equal(4, (await edge.QuietAsync(turns: 4)).Select(row => row.Session).Distinct().Count());
    }

    [Theory]
    [InlineData("state", Header, "thread-id", "session-id")]
    [InlineData("thread", "thread-id", "session-id", "x-codex-conversation-id")]
    [InlineData("session", "session-id", "x-codex-conversation-id", null)]
    public async Task The_strongest_name_decides(string kind, string strongest, string weaker, string? weakest)
    {
        await using var edge = await RunningEdge.StartAsync();
        await edge.LocalAnchorAsync((weaker, "w"));
        // With all names, and another cache key each time.
        for (var turn = 0; turn < 2; turn++)
        {
            (await edge.CarryAsync(more: $",\"prompt_cache_key\":\"{turn}\"",
                headers: weakest is null ? [(strongest, "s"), (weaker, "w")] : [(weakest, $"{turn}"), (weaker, "w"), (strongest, "s")])).Completed();
        }
        Assert.Equal((kind == "session" ? 3 : 2, 3), (edge.HandshakesAt("a"), edge.FramesAt("a").Count));
        var rows = await edge.QuietAsync(turns: 3);
        Assert.Equal([FakeSessions.NameOf($"{kind}:s"), FakeSessions.NameOf($"{kind}:s")], rows.Skip(1).Select(row => row.Session));
    }

    // The session keeps its name.
    [Theory]
    [InlineData("header", "header")]
    [InlineData("header", "body")]
    [InlineData("event", "header")]
    [InlineData("event", "body")]
    public async Task Who_shows_the_turn_state_he_was_given_comes_to_its_session(string given, string shown)
    {
        await using var edge = await RunningEdge.StartAsync(edge => GivesTurnState(edge, given));
        (await edge.CarryAsync()).Completed();
        var more = shown == "body" ? $",\"client_metadata\":{{\"{Header}\":\"ts-1\"}}" : "";
        (string, string)[] headers = shown == "body" ? [Bridged.OtherThread, ("session-id", "s")] : [Bridged.OtherThread, ("session-id", "s"), (Header, "ts-1")];
        for (var turn = 0; turn < 2; turn++)
        {
            (await edge.CarryAsync(more: more, headers: headers)).Completed();
        }
        Assert.Equal((1, 3), (edge.HandshakesAt("a"), edge.FramesAt("a").Count));
        // Its name stays.
        Assert.All(await edge.QuietAsync(turns: 3), row => Assert.Equal(Bridged.Session, row.Session));
        Assert.Equal(Bridged.Session, Assert.Single(edge.Continuity.Sessions.Claimed).Session);
        var alias = edge.Continuity.OwnerOf("ts-1")!;
        Assert.Equal(("key-1", "acc-a", Bridged.Session), (alias.KeyId, alias.AccountId, alias.Session));
    }

    // Where the alias is lost, the record finds the session and its account.
    [Theory]
    [InlineData("header")]
    [InlineData("event")]
    public async Task The_record_of_a_session_has_its_latest_turn_state(string given)
    {
        await using var edge = await RunningEdge.StartAsync(edge => GivesTurnState(edge, given));
        (await edge.CarryAsync()).Completed();
        (await edge.CarryAsync()).Completed();
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.Written.Any(write => write.TurnState == "ts-1" && write.Claim.Session == Bridged.Session), TimeSpan.FromSeconds(3));
        await edge.QuietAsync(turns: 2);
    }

    // Unrelated conversations may share a cache key: it names a session of its own, beside the scope's, that nobody else finds.
    [Fact]
    public async Task A_cache_key_alone_claims_no_name()
    {
        await using var edge = await RunningEdge.StartAsync();
        const string more = ",\"prompt_cache_key\":\"k\"";
        var first = await edge.SendAsync(Bridged.Body(more: more));
        var other = await edge.SendAsync(Bridged.Body(more: more));
        // Neither conversation costs the other its anchor.
        foreach (var anchor in (string[])[first.Id, other.Id])
        {
            var second = await edge.SendAsync(Bridged.Body("second", anchor, more: more));
            second.Completed();
            Assert.Contains($"Anchor: {anchor}", second.Body, StringComparison.Ordinal);
        }
        Assert.Equal(2, edge.HandshakesAt("a"));
        var session = Assert.Single((await edge.QuietAsync(turns: 4)).Select(row => row.Session).Distinct());
        var soft = FakeSessions.NameOf("cache:k");
        Assert.StartsWith($"{soft}~", session, StringComparison.Ordinal);
        Assert.Matches("^[0-9a-f~]{66,100}$", session);
        Assert.DoesNotContain(edge.Continuity.Sessions.Claimed, claim => claim.Session == soft);
        Assert.DoesNotContain(soft, edge.Continuity.Sessions.Live);
    }

    // Upstream keeps the latest response of a socket only: where a name may stand for several conversations, each keeps the socket its own lives on.
    [Theory]
    [InlineData("session-id")]
    [InlineData("x-codex-conversation-id")]
    public async Task Conversations_that_share_a_name_share_no_socket(string header)
    {
        await using var edge = await RunningEdge.StartAsync();
        var anchors = new List<string>();
        for (var conversation = 0; conversation < 3; conversation++)
        {
            anchors.Add(await edge.LocalAnchorAsync((header, "v")));
        }
        foreach (var anchor in anchors)
        {
            var second = await edge.CarryAsync("second", anchor, headers: [(header, "v")]);
            second.Completed();
            Assert.Contains($"Anchor: {anchor}", second.Body, StringComparison.Ordinal);
        }
        Assert.Equal(3, edge.HandshakesAt("a"));
        Assert.Single((await edge.QuietAsync(turns: 6)).Select(row => row.Session).Distinct());
        Assert.Single(edge.Continuity.Sessions.Claimed);
    }

    // The session that a cache key has made is not taken over by a stronger name, and neither ends for the other.
    [Fact]
    public async Task A_cache_key_is_never_promoted()
    {
        await using var edge = await RunningEdge.StartAsync();
        const string more = ",\"prompt_cache_key\":\"k\"";
        var soft = await edge.SendAsync(Bridged.Body(more: more));
        soft.Completed();
        (await edge.CarryAsync(more: more)).Completed();
        Assert.Equal(2, edge.HandshakesAt("a"));
        (await edge.SendAsync(Bridged.Body("again", soft.Id, more: more))).Completed();
        (await edge.CarryAsync(more: more)).Completed();
        Assert.Equal((2, 2), (edge.HandshakesAt("a"), edge.OpenAt("a")));
        var rows = await edge.QuietAsync(turns: 4);
        Assert.Equal((Bridged.Session, Bridged.Session), (rows[1].Session, rows[3].Session));
        Assert.Equal(rows[0].Session, rows[2].Session);
    }

    private static void GivesTurnState(RunningEdge edge, string how) => edge.Sim.Script(rule => _ = how == "event"
        ? rule.OverWebSocket().Once().Answer(answer => answer with { TurnState = "ts-1" })
        : rule.OnUpgrade().Once().Answer(answer => answer with { TurnState = "ts-1" }));
}

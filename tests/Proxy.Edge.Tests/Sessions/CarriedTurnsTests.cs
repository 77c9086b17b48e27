using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Which turns over HTTP a session carries, and which go over HTTP as they came.</summary>
public sealed class CarriedTurnsTests
{
    private const string Metadata = ",\"client_metadata\":";

    [Theory]
    [InlineData("x-codex-turn-state", "v", null, "state:v")]
    [InlineData("thread-id", "v", null, "thread:v")]
    [InlineData("session-id", "v", null, "session:v")]
    [InlineData("session_id", "v", null, "session:v")]
    [InlineData("x-codex-session-id", "v", null, "session:v")]
    [InlineData("x-codex-conversation-id", "v", null, "conversation:v")]
    [InlineData(null, null, Metadata + "{\"x-codex-turn-state\":\"v\"}", "state:v")]
    [InlineData(null, null, Metadata + "{\"thread_id\":\"v\"}", "thread:v")]
    [InlineData(null, null, Metadata + "{\"session_id\":\"v\"}", "session:v")]
    public async Task A_conversation_that_upstream_does_not_keep_has_a_session(string? header, string? value, string? more, string scope)
    {
        await using var edge = await RunningEdge.StartAsync();
        foreach (var stream in (bool[])[true, false])
        {
            (await edge.SendAsync(Bridged.Body(stream: stream, more: more ?? ""), headers: header is null ? [] : [(header, value!)])).Completed();
        }
        // A thread is one conversation, which has begun anew; of a session's each keeps the socket on which its latest answer lives.
        var isOne = scope.StartsWith("state:", StringComparison.Ordinal) || scope.StartsWith("thread:", StringComparison.Ordinal);
        Assert.Equal((2, 0, isOne ? 1 : 2), (edge.FramesAt("a").Count, edge.BodiesAt("a").Count, edge.SocketsUsedAt("a")));
        var rows = await edge.QuietAsync(turns: 2);
        var session = FakeSessions.NameOf(scope);
        Assert.All(rows, row => Assert.Equal(("http_bridge", session, "v", "edge", false), (row.Surface, row.Session, row.SessionId, row.EdgeId, row.Stored)));
        var claim = Assert.Single(edge.Continuity.Sessions.Claimed);
        Assert.Equal((session, edge.Origin), (claim.Session, claim.Address.TrimEnd('/')));
    }

    [Theory]
    [InlineData("/v1/responses")]
    [InlineData("/backend-api/codex/responses")]
    [InlineData("/backend-api/codex/v1/responses")]
    public async Task Whatever_prefix_it_is_asked_under(string path)
    {
        await using var edge = await RunningEdge.StartAsync();
        using var response = await edge.PostAsync(Bridged.Body(), path, headers: Bridged.Thread);
        Assert.Contains("response.completed", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Single(edge.FramesAt("a"));
        Assert.Equal("http_bridge", Assert.Single(await edge.QuietAsync(turns: 1)).Surface);
    }

    [Theory]
    [InlineData("no scope", false, null)]
    [InlineData("stored", true, "thread-id")]
    [InlineData("stored by default", null, "thread-id")]
    [InlineData("background", false, "thread-id")]
    [InlineData("typed", false, "thread-id")]
    [InlineData("no websocket", false, "thread-id")]
    [InlineData("off", false, "thread-id")]
    public async Task All_else_goes_over_HTTP_as_it_came(string what, bool? store, string? header)
    {
        await using var edge = await RunningEdge.StartAsync(
            edge => edge.Add("a", webSockets: what != "no websocket"), what == "off" ? ["Sessions:Mode=off"] : []);
        foreach (var stream in (bool[])[true, false])
        {
            var body = Bridged.Body(stream: stream, store: store == true, more: what switch
            {
                "background" => ",\"background\":true",
                "typed" => ",\"type\":\"other\"",
                _ => "",
            });
            body = store is null ? body.Replace(",\"store\":false", "", StringComparison.Ordinal) : body;
            await edge.SendAsync(body, headers: header is null ? [] : [(header, "t")]);
            Assert.Equal(body, edge.BodiesAt("a")[^1]);
        }
        Assert.Equal((0, 2), (edge.HandshakesAt("a"), edge.BodiesAt("a").Count));
        Assert.All(await edge.QuietAsync(turns: 2), row => Assert.Equal((null, true), (row.Session, row.Surface is "http_stream" or "http_json")));
        await Eventually.TrueAsync(() => edge.Continuity.Sessions.Live.Count == 0);
    }

    [Theory]
    [InlineData("/v1/responses/compact")]
    [InlineData("/v1/responses/input_tokens")]
    public async Task Nor_is_a_request_that_is_no_turn_carried(string path)
    {
        await using var edge = await RunningEdge.StartAsync();
        using var response = await edge.PostAsync(Bridged.Body(stream: false), path, headers: Bridged.Thread);
        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal(0, edge.HandshakesAt("a"));
        Assert.Empty(edge.Continuity.Sessions.Claimed);
    }

    // The anchor is nowhere else: whatever the follow-up says of itself.
    [Theory]
    [InlineData(true, "none")]
    [InlineData(false, "none")]
    [InlineData(true, "same")]
    [InlineData(false, "other")]
    public async Task A_follow_up_goes_where_its_anchor_lives(bool store, string scope)
    {
        await using var edge = await RunningEdge.StartAsync();
        var anchor = await edge.LocalAnchorAsync();
        (string, string)[] headers = scope switch { "none" => [], "same" => [Bridged.Thread], _ => [Bridged.OtherThread] };
        var second = await edge.SendAsync(Bridged.Body("second", anchor, store: store), headers: headers);
        second.Completed();
        Assert.Contains($"Anchor: {anchor}", second.Body, StringComparison.Ordinal);
        Assert.Equal((2, 0, 1), (edge.FramesAt("a").Count, edge.BodiesAt("a").Count, edge.HandshakesAt("a")));
        // No other account's slot is of any use to it.
        Assert.Equal([null, "acc-a"], edge.Accounts.AskedForTurns.Select(request => request.OnlyAccountId));
        Assert.All(await edge.QuietAsync(turns: 2), row => Assert.Equal(("http_bridge", Bridged.Session), (row.Surface, row.Session)));
    }

    [Fact]
    public async Task A_stored_anchor_of_a_conversation_is_no_reason_to_leave_its_session()
    {
        await using var edge = await RunningEdge.StartAsync();
        var anchor = await edge.StoredAnchorAsync();
        var answer = await edge.CarryAsync("second", anchor);
        answer.Completed();
        Assert.Contains($"Anchor: {anchor}", answer.Body, StringComparison.Ordinal);
        Assert.Equal((1, 1), (edge.FramesAt("a").Count, edge.BodiesAt("a").Count));
        await edge.QuietAsync(turns: 2);
    }

    [Fact]
    public async Task A_conversation_goes_on_from_answer_to_answer_on_one_socket()
    {
        await using var edge = await RunningEdge.StartAsync();
        string? anchor = null;
        for (var turn = 1; turn <= 4; turn++)
        {
            var answer = await edge.CarryAsync($"turn {turn}", anchor, stream: turn % 2 == 0);
            answer.Completed();
            Assert.Contains($"Anchor: {anchor ?? "none"}.", answer.Body, StringComparison.Ordinal);
            anchor = answer.Id;
            var owner = edge.Continuity.OwnerOf(anchor)!;
            Assert.Equal(("key-1", "acc-a", "dom-a", false, Bridged.Session), (owner.KeyId, owner.AccountId, owner.Domain, owner.Stored, owner.Session));
        }
        Assert.Equal(1, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 4);
        Assert.Single(edge.Continuity.Sessions.Claimed);
        var claims = edge.Continuity.Published.Where(one => one.Id.Kind == "response").Select(one => one.Claim).ToList();
        Assert.All(claims, claim => Assert.True(claim is not null && edge.Continuity.Sessions.IsCurrent(claim)));
        // The record knows the latest, for the day the aliases are lost.
        Assert.Equal((anchor, "acc-a", false), edge.Continuity.Sessions.Written.Where(write => write.ResponseId is not null).Select(write => (write.ResponseId, write.AccountId, write.Stored)).Last());
    }

    // An owner is told when a response is created, and its session's latest when it has ended well; however many events there are, and of no other response.
    [Fact]
    public async Task Each_response_is_published_once_and_becomes_the_latest_only_when_it_has_ended_well()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "many" }).Deltas(200, 4));
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "breaks" }).Fails("server_error", "Broken.", Position.Delta(1)));
        });
        var many = await edge.CarryAsync("many");
        many.Completed();
        (await edge.CarryAsync("breaks", many.Id)).Failed("server_error");
        await edge.QuietAsync(turns: 2);
        Assert.Equal(2, edge.Continuity.Published.Count(one => one.Id.Kind == "response"));
        Assert.Equal(many.Id, Assert.Single(edge.Continuity.Sessions.Written).ResponseId);
    }

    [Fact]
    public async Task The_counters_tell_the_surface()
    {
        await using var edge = await RunningEdge.StartAsync();
        await edge.CarryAsync("second", await edge.LocalAnchorAsync());
        await edge.QuietAsync(turns: 2);
        Assert.Contains(edge.Counters.All("continuity.owner_resolution"), counted => counted.Contains("surface=http_bridge", StringComparison.Ordinal) && counted.Contains("outcome=hit", StringComparison.Ordinal));
    }
}

using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>What upstream gets of a turn, and of its client.</summary>
public sealed class FrameTests
{
    private const string Type = "\"type\":\"response.create\",";

    [Theory]
    [InlineData("{\"model\":\"gpt-5.6\",\"store\":false,\"stream\":true,\"input\":\"x\"}")]
    [InlineData("{ \"model\" : \"gpt-5.6\",\r\n \"store\":false,\"stream\":true, \"input\":\"ü \\u00fc 😀\", \"unknown\":{\"ü\":1e5, \"type\":\"mine\"} }")]
    [InlineData("\n{\n\t\"stream\" : true ,\"store\":false,\"model\":\"gpt-5.6\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":\"x\"}],\"a\":1.0}\n")]
    public async Task The_frame_is_the_body_with_a_type_in_front(string body)
    {
        await using var edge = await RunningEdge.StartAsync();
        (await edge.SendAsync(body, headers: Bridged.Thread)).Completed();
        var frame = Assert.Single(edge.FramesAt("a"));
        Assert.Equal(body.Trim(), frame.Replace(Type, "", StringComparison.Ordinal).Trim());
        Assert.StartsWith(Type, frame.TrimStart('\n', '{', ' ', '\t', '\r'), StringComparison.Ordinal);
        await edge.QuietAsync(turns: 1);
    }

    // An account without lanes refuses the field, and one turn at a time needs none.
    [Theory]
    [InlineData("{\"stream_id\":\"x\",\"model\":\"gpt-5.6\",\"store\":false,\"input\":\"hello\",\"stream\":true}", false)]
    [InlineData("{\"model\":\"gpt-5.6\",\"store\":false, \"stream_id\" : \"x\" ,\"input\":\"hello\",\"stream\":true}", false)]
    [InlineData("{\"model\":\"gpt-5.6\",\"store\":false,\"input\":\"hello\",\"stream\":true,\"stream_id\":\"x\"}", false)]
    [InlineData("{\"model\":\"gpt-5.6\",\"store\":false,\"input\":\"hello\",\"stream\":true,\"stream_id\":\"x\"}", true)]
    public async Task A_lane_stays_here(string body, bool lanes)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("a", lanes: lanes));
        var answer = await edge.SendAsync(body, headers: Bridged.Thread);
        answer.Completed();
        Assert.DoesNotContain("stream_id", answer.Body, StringComparison.Ordinal);
        var frame = JsonNode.Parse(Assert.Single(edge.FramesAt("a")))!.AsObject();
        Assert.Equal(["input", "model", "store", "stream", "type"], frame.Select(member => member.Key).Order());
        await edge.QuietAsync(turns: 1);
    }

    // The record knows the latest response of the conversation; no turn is made its follow-up.
    [Fact]
    public async Task A_turn_without_an_anchor_gets_none()
    {
        await using var edge = await RunningEdge.StartAsync();
        foreach (var scope in ((string, string)[])[Bridged.Thread, ("session-id", "s"), ("x-codex-turn-state", "ts")])
        {
            await edge.LocalAnchorAsync(scope);
            var body = Bridged.Body("a new beginning");
            var answer = await edge.SendAsync(body, headers: scope);
            Assert.Contains("Anchor: none. Context: 1.", answer.Body, StringComparison.Ordinal);
            Assert.Equal(Bridged.FrameOf(body), edge.FramesAt("a")[^1]);
        }
        await edge.QuietAsync(turns: 6);
    }

    [Fact]
    public async Task The_clients_headers_go_along_and_its_credentials_do_not()
    {
        await using var edge = await RunningEdge.StartAsync();
        (await edge.CarryAsync(headers: [Bridged.Thread, ("user-agent", "agent/1"), ("originator", "codex_exec"), ("session-id", "s"), ("x-other", "o"), ("idempotency-key", "i"), ("cookie", "c=1"), ("openai-organization", "org-mine"), ("x-continuity-forward", "forged")])).Completed();
        var seen = Assert.Single(edge.Sim.Recorded.Sockets);
        Assert.Equal(("agent/1", "codex_exec", "s", "t", "o"), (seen.Header("user-agent"), seen.Header("originator"), seen.Header("session-id"), seen.Header("thread-id"), seen.Header("x-other")));
        Assert.Equal("Bearer a", seen.Header("authorization"));
        // It is the turn's, and the socket is others' as well.
        Assert.Null(seen.Header("idempotency-key"));
        Assert.Equal((null, null, null), (seen.Header("cookie"), seen.Header("openai-organization"), seen.Header("x-continuity-forward")));
        Assert.DoesNotContain(seen.Headers, header => header.Value.Contains("sk-1", StringComparison.Ordinal));
        await edge.QuietAsync(turns: 1);
    }
}

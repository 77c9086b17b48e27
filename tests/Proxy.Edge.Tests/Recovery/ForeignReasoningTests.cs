using System.Text.Json;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>What another organisation has encrypted: reasoning may be left out where the operator allows it, a compacted history never.</summary>
public sealed class ForeignReasoningTests
{
    // Rule 9: what only one organisation can read.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Foreign_reasoning_is_dropped_only_where_that_is_wished(bool drops)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Continuity.Bind("thread:t", "a");
            edge.Sim.Script(rule => rule.Account("a").Refuses(429, "usage_limit_reached", "limit", ("retry-after", "20")));
        }, $"Recovery:DropForeignReasoning={drops}", "Sessions:Mode=off");
        const string reasoning = """{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}""";
        var body = $$$"""{"model":"{{{RunningEdge.Model}}}","stream":true,"store":false,"input":[{"role":"user","content":"one"},{{{reasoning}}},{"role":"user","content":"two"}]}""";
        var (status, text) = await edge.AskAsync(body, ("thread-id", "t"));
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Equal(body, Assert.Single(edge.BodiesAt("a")));
        if (drops)
        {
            Assert.Equal(200, status);
            Told.Completed(Sse.Read(text));
            using var sent = JsonDocument.Parse(Assert.Single(edge.BodiesAt("b")));
            Assert.Equal(["one", "two"], sent.RootElement.GetProperty("input").EnumerateArray().Select(item => item.GetProperty("content").GetString()));
        }
        else
        {
            Assert.NotEqual(200, status);
            Assert.Empty(edge.BodiesAt("b"));
        }
    }

    [Fact]
    public async Task A_compaction_is_never_dropped()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Continuity.Bind("thread:t", "a");
            edge.Sim.Script(rule => rule.Account("a").Refuses(429, "usage_limit_reached"));
        }, "Recovery:DropForeignReasoning=true");
        var (status, _) = await edge.AskAsync(
            $$$"""{"model":"{{{RunningEdge.Model}}}","stream":true,"input":[{"type":"compaction","encrypted_content":"gAAA"},{"role":"user","content":"two"}]}""", ("thread-id", "t"));
        Assert.NotEqual(200, status);
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Empty(edge.BodiesAt("b"));
    }
}

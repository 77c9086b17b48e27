using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>What one account only knows leads a request there, whatever else would: items, vector stores, containers, prompts, and what an organisation has encrypted.</summary>
public sealed class AccountBoundIdTests
{
    private const string OnB = "thread-of-b";

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public async Task An_item_is_referred_to_where_its_response_was_made(bool stream, bool onAnotherEdge)
    {
        await using var edge = await StartAsync();
        var made = await CompletedAsync(edge, $$"""{"model":"{{RunningEdge.Model}}","input":"hello","stream":{{(stream ? "true" : "false")}}}""", OnB);
        var item = (string)made["output"]![0]!["id"]!;
        await using var other = onAnotherEdge ? await edge.StartAnotherAsync() : null;
        await CompletedAsync(other ?? edge, $$"""{"model":"{{RunningEdge.Model}}","input":[{"type":"item_reference","id":"{{item}}"},{"role":"user","content":"and?"}]}""");
        Assert.Equal(2, edge.BodiesAt("b").Count);
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Any(row => row.RequestId == (string?)made["id"]));
        Assert.Equal(item, Assert.Single(edge.Continuity.Rows, row => row.Items is not null && row.RequestId == (string?)made["id"]).Items);
    }

    [Fact]
    public async Task On_a_socket_too()
    {
        await using var edge = await StartAsync();
        using var first = await edge.ConnectAsync(headers: ("thread-id", OnB));
        await first.SendAsync(Asking.Frame("hello"));
        var item = JsonNode.Parse((await first.UntilTerminalAsync())[^1])!["response"]!["output"]![0]!["id"];
        using var second = await edge.ConnectAsync();
        await second.SendAsync($$"""{"type":"response.create","model":"{{RunningEdge.Model}}","input":[{"id":"{{item}}"}]}""");
        Assert.Equal("response.completed", JsonNode.Parse((await second.UntilTerminalAsync())[^1])!.Type());
        Assert.Equal(0, edge.SocketsUsedAt("a"));
    }

    // Reasoning of a response that is not stored, and a compacted history.
    [Theory]
    [InlineData("/v1/responses", ",\"store\":false,\"include\":[\"reasoning.encrypted_content\"],\"reasoning\":{\"effort\":\"low\"}")]
    [InlineData("/v1/responses/compact", "")]
    public async Task What_is_encrypted_goes_home_without_any_scope(string path, string more)
    {
        await using var edge = await StartAsync();
        var body = $$"""{"model":"{{RunningEdge.Model}}","input":[{"role":"user","content":"hello"}]{{more}}}""";
        using var response = await edge.PostAsync(body, path, headers: ("thread-id", OnB));
        var output = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["output"]!.AsArray();
        Assert.Contains(output, item => item!["encrypted_content"] is not null);
        output.Add(JsonNode.Parse("""{"role":"user","content":"go on"}"""));
        await CompletedAsync(edge, new JsonObject { ["model"] = RunningEdge.Model, ["store"] = false, ["input"] = output.DeepClone() }.ToJsonString());
        Assert.Empty(edge.BodiesAt("a"));
    }

    [Fact]
    public async Task What_nobody_knows_the_home_of_is_tried_elsewhere_before_anything_is_created()
    {
        await using var edge = await StartAsync();
        var made = await CompletedAsync(edge, $$"""{"model":"{{RunningEdge.Model}}","store":false,"include":["reasoning.encrypted_content"],"reasoning":{},"input":"hello"}""", OnB);
        edge.Continuity.Forget();
        await using var other = await edge.StartAnotherAsync();
        var input = made["output"]!.DeepClone().AsArray();
        await CompletedAsync(other, new JsonObject { ["model"] = RunningEdge.Model, ["store"] = false, ["input"] = input }.ToJsonString());
        Assert.Equal((1, 2), (edge.BodiesAt("a").Count, edge.BodiesAt("b").Count));
        Assert.Equal(1, edge.Counters.Of("continuity.replay") + other.Counters.Of("continuity.replay"));
    }

    [Fact]
    public async Task What_no_account_can_read_is_told_in_upstreams_words()
    {
        await using var edge = await StartAsync();
        var (status, body) = await edge.AskAsync($$"""{"model":"{{RunningEdge.Model}}","store":false,"input":[{"type":"reasoning","encrypted_content":"gAAAAAB-of-nobody"}]}""");
        Assert.Equal((400, "invalid_encrypted_content"), (status, JsonNode.Parse(body)!.Code()));
        Assert.Equal((1, 1), (edge.BodiesAt("a").Count, edge.BodiesAt("b").Count));
    }

    [Fact]
    public async Task A_prompt_is_learned_from_the_turn_that_it_served()
    {
        await using var edge = await StartAsync(edge => edge.Sim.Script(rule => rule.Account("a").When(when => when with { Contains = "pmpt_1" })
            .Refuses(404, "not_found", "Prompt with id 'pmpt_1' not found.")));
        var body = $$$"""{"model":"{{{RunningEdge.Model}}}","input":"x","prompt":{"id":"pmpt_1"}}""";
        await CompletedAsync(edge, body);
        await CompletedAsync(edge, body);
        Assert.Equal((1, 2), (edge.BodiesAt("a").Count, edge.BodiesAt("b").Count));
    }

    [Theory]
    [InlineData(""","tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]""", 404)]
    [InlineData(""","tools":[{"type":"code_interpreter","container":"vs_1"}]""", 404)]
    [InlineData(""","previous_response_id":"vs_1" """, 400)]
    public async Task What_is_known_goes_home_what_is_anothers_or_may_be_does_not_exist(string more, int status)
    {
        await using var edge = await StartAsync();
        edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        var body = $$"""{"model":"{{RunningEdge.Model}}","input":"x"{{more}}}""";
        edge.Continuity.Own("vs_1", "b", keyId: "key-2");
        Assert.Equal(status, (await edge.AskAsync(body)).Status);
        edge.Continuity.Disown("vs_1");
        edge.Accounts.IsSoleKey = false;
        Assert.Equal(status, (await edge.AskAsync(body)).Status);
        Assert.Empty(edge.Sim.Recorded.All);
        // Alone with its account, a key may have made it before the gateway was there.
        edge.Accounts.IsSoleKey = true;
        Assert.Equal(200, (await edge.AskAsync(body)).Status);
        edge.Continuity.Own("vs_1", "b");
        Assert.Equal(200, (await edge.AskAsync(body)).Status);
        Assert.Equal((1, 1), (edge.BodiesAt("a").Count, edge.BodiesAt("b").Count));
    }

    // After an outage of the continuity service its publication may still be on its way from another edge.
    [Fact]
    public async Task An_anchor_that_is_not_known_yet_goes_on_in_its_own_conversation()
    {
        await using var edge = await StartAsync(edge => edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true })));
        edge.Accounts.IsSoleKey = false;
        Assert.Equal(400, (await edge.AskAsync(RunningEdge.Body(",\"previous_response_id\":\"resp_late\""))).Status);
        Assert.Equal(200, (await edge.AskAsync(RunningEdge.Body(",\"previous_response_id\":\"resp_late\""), ("thread-id", OnB))).Status);
        Assert.Equal((0, 1), (edge.BodiesAt("a").Count, edge.BodiesAt("b").Count));
        Assert.Equal(404, (await edge.AskAsync(RunningEdge.Body(",\"previous_response_id\":\"resp_late\",\"tools\":[{\"container\":\"cntr_1\"}]"), ("thread-id", OnB))).Status);
    }

    // An upstream that mints an id which another key owns changes nothing for that key.
    [Fact]
    public async Task An_id_that_is_minted_twice_stays_its_first_owners()
    {
        await using var edge = await StartAsync();
        edge.Continuity.Own("resp_1", "b", keyId: "key-2");
        edge.Continuity.OnPublish = request => Task.FromResult(request.Id.Id == "resp_1" ? 409 : 204);
        edge.Sim.Script(rule => rule.Once().WithId("resp_1"));
        await CompletedAsync(edge, RunningEdge.Body(stream: false));
        Assert.Equal(400, (await edge.AskAsync(RunningEdge.Body(",\"previous_response_id\":\"resp_1\""))).Status);
    }

    private static Task<RunningEdge> StartAsync(Action<RunningEdge>? prepare = null) => RunningEdge.StartAsync(edge =>
    {
        edge.Add("b");
        edge.Continuity.Bind($"thread:{OnB}", "b");
        prepare?.Invoke(edge);
    }, "Sessions:Mode=off");

    private static async Task<JsonNode> CompletedAsync(RunningEdge edge, string body, string? thread = null)
    {
        var (status, text) = await edge.AskAsync(body, thread is null ? [] : [("thread-id", thread)]);
        Assert.True(status == 200, text);
        var response = text.StartsWith('{') ? JsonNode.Parse(text)! : Sse.Read(text)[^1]["response"]!;
        Assert.Equal("completed", (string?)response["status"]);
        return response;
    }
}

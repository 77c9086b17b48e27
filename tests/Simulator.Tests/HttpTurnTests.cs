using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using Simulator.Scripts;

namespace Simulator.Tests;

public sealed class HttpTurnTests : IAsyncLifetime
{
    private SimulatorServer _sim = null!;
    private Client _client = null!;

    public async Task InitializeAsync() => _client = new Client(_sim = await SimulatorServer.StartAsync());

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _sim.DisposeAsync();
    }

    [Fact]
    public async Task A_turn_that_is_not_streamed_is_answered_with_a_whole_response()
    {
        using var response = await _client.PostAsync(new { model = "gpt-5.5", input = "hello", metadata = new { a = "b" } });
        var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;

        Assert.Equal("You said: hello. Items: 1. Anchor: none. Context: 1.", body.Text("output.0.content.0.text"));
        Assert.Equal(("completed", "gpt-5.5", "b"), (body.Text("status"), body.Text("model"), body.Text("metadata.a")));
        Assert.StartsWith("resp_", body.Text("id"), StringComparison.Ordinal);
        Assert.True(body.GetProperty("usage").GetProperty("total_tokens").GetInt32() > 0);
        Assert.True(response.Headers.Contains("x-request-id") && response.Headers.Contains("x-ratelimit-remaining-tokens"));
    }

    [Theory]
    [InlineData("v1/responses")]
    [InlineData("backend-api/codex/responses")]
    [InlineData("backend-api/codex/v1/responses")]
    public async Task A_streamed_turn_has_all_events_in_order(string path)
    {
        using var response = await _client.Http.PostAsync(path, new StringContent("""{"model":"m","input":"hi","stream":true}"""));
        var body = await response.Content.ReadAsStringAsync();
        var events = Client.Events(body);

        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(
            [
                "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
                "response.output_text.delta", "response.output_text.delta", "response.output_text.delta", "response.output_text.delta",
                "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
            ],
            events.Select(e => e.Type()));
        Assert.Equal(Enumerable.Range(0, events.Count), events.Select(e => e.GetProperty("sequence_number").GetInt32()));
        Assert.Equal(events[^1].Text("response.output.0.content.0.text"), string.Concat(events.Select(e => e.Text("delta"))));
        Assert.StartsWith("event: response.created\ndata: {", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("gzip")]
    [InlineData("deflate")]
    [InlineData("br")]
    public async Task Encoded_bodies_are_read_and_recorded_both_ways(string coding)
    {
        var plain = Encoding.UTF8.GetBytes("""{"model":"m","input":"packed"}""");
        var packed = new MemoryStream();
        await using (Stream encoder = coding switch
        {
            "zstd" => new ZstdSharp.CompressionStream(packed, leaveOpen: true),
            "gzip" => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            "deflate" => new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            _ => new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true),
        })
        {
            await encoder.WriteAsync(plain);
        }

        using var content = new ByteArrayContent(packed.ToArray());
        content.Headers.ContentEncoding.Add(coding);
        using var response = await _client.Http.PostAsync("v1/responses", content);

        Assert.Contains("You said: packed.", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var exchange = Assert.Single(_sim.Recorded.Turns);
        Assert.Equal(packed.ToArray(), exchange.RawBody.ToArray());
        Assert.Equal(plain, exchange.Body.ToArray());
        Assert.Equal(("tok1", 1, coding), (exchange.Account, exchange.Turn, exchange.Header("content-encoding")));
    }

    [Fact]
    public async Task Follow_ups_need_a_stored_anchor_of_the_same_organisation()
    {
        _sim.Organisation("org-a", "tok1", "tok2");
        using var sibling = new Client(_sim, "tok2");
        using var stranger = new Client(_sim, "tok3");
        var id = (await _client.AskAsync("one")).Text("id")!;
        var unstored = (await _client.AskAsync("two", store: false)).Text("id")!;

        Assert.Contains($"Anchor: {id}. Context: 3.", (await sibling.AskAsync("next", id)).Text("output.0.content.0.text"), StringComparison.Ordinal);
        Assert.Equal("previous_response_not_found", (await _client.AskAsync("next", unstored)).Text("error.code"));
        using var refused = await stranger.PostAsync(new { model = "m", input = "x", previous_response_id = id });
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        var error = JsonDocument.Parse(await refused.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal(
            ("previous_response_not_found", "previous_response_id", $"Previous response with id '{id}' not found."),
            (error.Text("error.code"), error.Text("error.param"), error.Text("error.message")));
    }

    [Fact]
    public async Task Encrypted_reasoning_opens_only_in_its_organisation()
    {
        using var stranger = new Client(_sim, "tok2");
        var first = await _client.JsonAsync(new { model = "m", input = "x", include = new[] { "reasoning.encrypted_content" }, store = false });
        var reasoning = first.GetProperty("output")[0];
        Assert.Equal("reasoning", reasoning.Type());
        var next = new { model = "m", input = new[] { reasoning }, store = false };

        Assert.Equal("completed", (await _client.JsonAsync(next)).Text("status"));
        Assert.Equal("invalid_encrypted_content", (await stranger.JsonAsync(next)).Text("error.code"));
    }

    [Fact]
    public async Task A_compaction_trigger_gives_exactly_one_compaction_item()
    {
        var body = new { model = "m", stream = true, input = new object[] { new { role = "user", content = "x" }, new { type = "compaction_trigger" } } };
        var done = Client.Events(await _client.StreamAsync(body)).Where(e => e.Type() == "response.output_item.done");
        Assert.Equal("compaction", Assert.Single(done).Text("item.type"));
    }

    [Fact]
    public async Task A_tool_call_streams_its_arguments_and_takes_the_output()
    {
        _sim.Script(rule => rule.Once().Calls(ToolCall.ExecCommand("ls -l")));
        var events = Client.Events(await _client.StreamAsync(new { model = "m", stream = true, input = "list" }));
        var call = events.Single(e => e.Type() == "response.output_item.done").GetProperty("item");

        Assert.Equal(("function_call", "exec_command", """{"cmd":"ls -l","login":false}"""), (call.Type(), call.Text("name"), call.Text("arguments")));
        Assert.Equal(call.Text("arguments"), string.Concat(events.Select(e => e.Text("delta"))));
        var answer = await _client.JsonAsync(new
        {
            model = "m",
            previous_response_id = events[^1].Text("response.id"),
            input = new[] { new { type = "function_call_output", call_id = call.Text("call_id"), output = "a.txt" } },
        });
        Assert.Contains("Tool said: a.txt.", answer.Text("output.0.content.0.text"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Background_responses_are_polled_followed_and_cancelled()
    {
        _sim.Script(rule => rule.Times(2).Stalls(Position.Created));
        var queued = await _client.JsonAsync(new { model = "m", input = "x", background = true });
        var id = queued.Text("id");
        Assert.Equal("queued", queued.Text("status"));
        await Json.EventuallyAsync(() => _sim.Stalled == 1);
        Assert.Contains("\"in_progress\"", await _client.Http.GetStringAsync($"v1/responses/{id}"), StringComparison.Ordinal);
        var follow = _client.Http.GetStringAsync($"v1/responses/{id}?stream=true&starting_after=0");
        _sim.Release();
        Assert.Equal("1", Client.Events(await follow)[0].Text("sequence_number"));
        Assert.Contains("\"status\":\"completed\"", await _client.Http.GetStringAsync($"v1/responses/{id}"), StringComparison.Ordinal);

        var second = (await _client.JsonAsync(new { model = "m", input = "x", background = true })).Text("id");
        using var cancelled = await _client.Http.PostAsync($"v1/responses/{second}/cancel", null);
        Assert.Contains("\"cancelled\"", await cancelled.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}

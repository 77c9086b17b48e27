using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace Simulator.Tests;

public sealed class EndpointTests : IAsyncLifetime
{
    private SimulatorServer _sim = null!;
    private Client _client = null!;
    private Client _stranger = null!;

    public async Task InitializeAsync()
    {
        _sim = await SimulatorServer.StartAsync();
        (_client, _stranger) = (new Client(_sim), new Client(_sim, "tok2"));
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        _stranger.Dispose();
        await _sim.DisposeAsync();
    }

    [Fact]
    public async Task Stored_responses_are_read_and_deleted_by_their_organisation()
    {
        var id = (await _client.AskAsync("hello")).Text("id");
        Assert.Equal(id, (await GetAsync(_client, $"v1/responses/{id}")).Text("id"));
        var items = await GetAsync(_client, $"v1/responses/{id}/input_items");
        Assert.Equal(("list", "hello"), (items.Text("object"), items.Text("data.0.content")));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(_stranger, HttpMethod.Get, $"v1/responses/{id}"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(_client, HttpMethod.Get, $"v1/responses/{id}?stream=true"));
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(_client, HttpMethod.Post, $"v1/responses/{id}/cancel"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(_client, HttpMethod.Delete, $"v1/responses/{id}"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(_client, HttpMethod.Get, $"v1/responses/{id}"));
    }

    [Fact]
    public async Task Conversations_collect_the_items_of_their_turns()
    {
        var id = (await PostAsync(_client, "v1/conversations", new { metadata = new { k = "v" } })).Text("id");
        Assert.Equal("v", (await GetAsync(_client, $"v1/conversations/{id}")).Text("metadata.k"));
        await _client.JsonAsync(new { model = "m", input = "hello", conversation = id });
        var items = await GetAsync(_client, $"v1/conversations/{id}/items?order=asc");
        Assert.Equal(["user", "assistant"], items.GetProperty("data").EnumerateArray().Select(i => i.Text("role")));
        var item = items.Text("data.0.id");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(_client, HttpMethod.Delete, $"v1/conversations/{id}/items/{item}"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(_client, HttpMethod.Get, $"v1/conversations/{id}/items/{item}"));

        using var refused = await _stranger.PostAsync(new { model = "m", input = "x", conversation = new { id } });
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
        using var both = await _client.PostAsync(new { model = "m", input = "x", conversation = id, previous_response_id = "resp_1" });
        Assert.Equal(HttpStatusCode.BadRequest, both.StatusCode);
    }

    [Fact]
    public async Task Files_are_uploaded_and_demanded()
    {
        using var form = new MultipartFormDataContent { { new StringContent("user_data"), "purpose" }, { new ByteArrayContent([1, 2, 3]), "file", "a.bin" } };
        using var uploaded = await _client.Http.PostAsync("v1/files", form);
        var file = await uploaded.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(("file", "3", "a.bin", "user_data"), (file.Text("object"), file.Text("bytes"), file.Text("filename"), file.Text("purpose")));
        Assert.Equal([1, 2, 3], await _client.Http.GetByteArrayAsync($"v1/files/{file.Text("id")}/content"));

        var turn = new { model = "m", input = new[] { new { role = "user", content = new[] { new { type = "input_file", file_id = file.Text("id") } } } } };
        Assert.Equal("completed", (await _client.JsonAsync(turn)).Text("status"));
        using var refused = await _stranger.PostAsync(turn);
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(_client, HttpMethod.Delete, $"v1/files/{file.Text("id")}"));
        Assert.Empty((await GetAsync(_client, "v1/files")).GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task Models_have_both_forms_and_an_etag()
    {
        using var first = await _client.Http.GetAsync("backend-api/codex/models?client_version=0.169.0");
        var models = await first.Content.ReadFromJsonAsync<JsonElement>();
        Assert.True(models.TryGetProperty("data", out _) && models.TryGetProperty("models", out _));
        using var again = new HttpRequestMessage(HttpMethod.Get, "v1/models");
        again.Headers.IfNoneMatch.Add(first.Headers.ETag!);
        using var unchanged = await _client.Http.SendAsync(again);
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);
    }

    [Fact]
    public async Task The_rest_of_the_surface_answers()
    {
        Assert.Equal("response.input_tokens", (await PostAsync(_client, "v1/responses/input_tokens", new { model = "m", input = "x" })).Text("object"));
        Assert.Equal("compaction", (await PostAsync(_client, "v1/responses/compact", new { model = "m", input = "x" })).Text("output.0.type"));
        Assert.Equal("1", (await PostAsync(_client, "v1/embeddings", new { model = "e", input = "x" })).Text("usage.total_tokens"));
        var chat = await PostAsync(_client, "v1/chat/completions", new { model = "m", messages = new[] { new { role = "user", content = "hi" } } });
        Assert.Equal("You said: hi.", chat.Text("choices.0.message.content"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(_client, HttpMethod.Head, "v1/responses"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(_client, HttpMethod.Get, "health"));
        using var unknown = await _client.Http.GetAsync("v1/unheard/of");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Equal(
            ["message", "type", "param", "code"],
            (await unknown.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").EnumerateObject().Select(member => member.Name));
    }

    [Fact]
    public async Task Tokens_can_be_restricted()
    {
        await using var strict = await SimulatorServer.StartAsync(["good"]);
        using var good = new Client(strict, "good");
        using var bad = new Client(strict, "bad");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(good, HttpMethod.Get, "v1/models"));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(bad, HttpMethod.Get, "v1/models"));
        bad.Http.DefaultRequestHeaders.Authorization = null;
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(bad, HttpMethod.Get, "v1/models"));
        bad.Http.DefaultRequestHeaders.Add("api-key", "good");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(bad, HttpMethod.Get, "v1/models"));
    }

    [Fact]
    public async Task The_script_and_the_record_are_reached_over_http()
    {
        using var rules = new StringContent(
            """[{"when":{"account":"tok1","turn":1,"surface":"http"},"times":1,"answer":{"deltas":2},"steps":[{"do":"failed","after":"delta:1","code":"server_error"}]}]""",
            new MediaTypeHeaderValue("application/json"));
        Assert.Equal(HttpStatusCode.NoContent, (await _client.Http.PostAsync("_sim/rules", rules)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await _client.Http.PostAsync("_sim/rules", new StringContent("""{"stepz":[]}"""))).StatusCode);
        var events = Client.Events(await _client.StreamAsync(new { model = "m", input = "x", stream = true }));
        Assert.Equal("response.failed", events[^1].Type());

        Assert.Equal("1", (await GetAsync(_client, "_sim/rules")).Text("0.used"));
        Assert.Equal("1", (await GetAsync(_client, "_sim/concurrency")).Text("accounts.tok1.peak"));
        var recorded = await GetAsync(_client, "_sim/recorded?account=tok1");
        Assert.Equal(("/v1/responses", "1"), (recorded.Text("0.path"), recorded.Text("0.turn")));
        foreach (var path in new[] { "_sim/rules", "_sim/recorded" })
        {
            Assert.Equal(HttpStatusCode.NoContent, await StatusAsync(_client, HttpMethod.Delete, path));
        }

        Assert.Empty(_sim.Recorded.All);
        using var organised = await _client.Http.PostAsync("_sim/accounts", new StringContent("""{"organisations":{"org-a":["tok1","tok2"]}}"""));
        Assert.Equal(HttpStatusCode.NoContent, organised.StatusCode);
        var id = (await _client.AskAsync("x")).Text("id");
        Assert.Equal("completed", (await _stranger.AskAsync("y", id)).Text("status"));
    }

    private static Task<JsonElement> GetAsync(Client client, string path) => client.Http.GetFromJsonAsync<JsonElement>(path);

    private static async Task<JsonElement> PostAsync(Client client, string path, object body)
    {
        using var response = await client.Http.PostAsJsonAsync(path, body);
        return response.Content.Headers.ContentLength is null or 0 ? default : await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static async Task<HttpStatusCode> StatusAsync(Client client, HttpMethod method, string path)
    {
        using var response = await client.Http.SendAsync(new HttpRequestMessage(method, path));
        return response.StatusCode;
    }
}

using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Passthrough;

/// <summary>Vector stores, containers, uploads, batches, skills and agent sessions: each is its key's, and is asked for on the account that made it.</summary>
public sealed class ResourceRouteTests
{
    public static TheoryData<string, string, string> Resources => new()
    {
        { "/v1/vector_stores", OwnedKinds.VectorStore, "POST /search,POST /files,GET" },
        { "/v1/containers", OwnedKinds.Container, "GET /files/cfile_1/content,GET,DELETE" },
        { "/v1/uploads", OwnedKinds.Upload, "POST /complete" },
        { "/v1/batches", OwnedKinds.Batch, "GET" },
        { "/v1/skills", OwnedKinds.Skill, "GET,POST,DELETE" },
        { "/v1/agents/sessions", OwnedKinds.AgentSession, "GET,POST,DELETE" },
    };

    [Theory]
    [MemberData(nameof(Resources))]
    public async Task What_a_key_has_made_is_its_own_and_stays_where_it_was_made(string path, string kind, string uses)
    {
        await using var edge = await StartAsync();
        var id = (string)(await MadeAsync(edge, path, "{}"))["id"]!;
        Assert.Equal((kind, id, "acc-b"), edge.Continuity.Published.Single() is var made ? (made.Id.Kind, made.Id.Id, made.Owner.AccountId) : default);
        foreach (var use in uses.Split(','))
        {
            var (method, below) = use.Split(' ') is [var verb, var rest] ? (verb, rest) : (use, "");
            var (status, body) = await SendAsync(edge, method, $"{path}/{id}{below}", method == "POST" ? "{}" : null);
            var seen = edge.Sim.Recorded.All[^1];
            Assert.Equal(("b", method, $"{path}/{id}{below}"), (seen.Account, seen.Method, seen.Path));
            // A file that nobody names is upstream's to refuse.
            Assert.True(status == 200 || below == "/files", body);
        }
        edge.Continuity.Own("id_of_another", "a", keyId: "key-2");
        var before = edge.Sim.Recorded.All.Count;
        foreach (var use in uses.Split(','))
        {
            var (method, below) = use.Split(' ') is [var verb, var rest] ? (verb, rest) : (use, "");
            Assert.Equal(404, (await SendAsync(edge, method, $"{path}/id_of_another{below}", method == "POST" ? "{}" : null)).Status);
        }
        Assert.Equal(before, edge.Sim.Recorded.All.Count);
    }

    [Fact]
    public async Task The_file_that_an_upload_becomes_is_its_uploaders()
    {
        await using var edge = await StartAsync();
        var id = (string)(await MadeAsync(edge, "/v1/uploads", "{}"))["id"]!;
        using var part = new MultipartFormDataContent { { new ByteArrayContent(new byte[100_000]), "data", "part" } };
        Assert.True((await edge.Http.PostAsync($"/v1/uploads/{id}/parts", part)).IsSuccessStatusCode);
        var file = (string)JsonNode.Parse((await SendAsync(edge, "POST", $"/v1/uploads/{id}/complete", """{"part_ids":["part_1"]}""")).Body)!["file"]!["id"]!;
        Assert.Equal("acc-b", edge.Continuity.OwnerOf(file)?.AccountId);
        // And leads wherever it is named.
        Assert.Equal(200, (await SendAsync(edge, "GET", $"/v1/files/{file}", null)).Status);
        var batch = await MadeAsync(edge, "/v1/batches", $$"""{"input_file_id":"{{file}}","endpoint":"/v1/responses"}""", thread: null);
        Assert.Equal("acc-b", edge.Continuity.OwnerOf((string)batch["id"]!)?.AccountId);
        Assert.Empty(edge.BodiesAt("a"));
    }

    [Fact]
    public async Task What_is_made_where_its_file_is_says_nothing_of_where_the_conversation_lives()
    {
        await using var edge = await StartAsync();
        edge.Continuity.Own("file_1", "b");
        await MadeAsync(edge, "/v1/vector_stores", """{"file_ids":["file_1"]}""", thread: "of-another-account");
        Assert.Null(edge.Continuity.Published.Single().Scope);
        Assert.StartsWith("owner=redis;", (await edge.RowAsync()).Continuity, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/vector_stores")]
    [InlineData("/v1/containers")]
    [InlineData("/v1/batches")]
    [InlineData("/v1/skills")]
    public async Task Lists_would_show_what_other_keys_have_made(string path)
    {
        await using var edge = await StartAsync();
        Assert.Equal(200, (await SendAsync(edge, "GET", path, null)).Status);
        edge.Accounts.IsSoleKey = false;
        Assert.Equal(403, (await SendAsync(edge, "GET", path, null)).Status);
    }

    private static Task<RunningEdge> StartAsync() => RunningEdge.StartAsync(edge =>
    {
        edge.Add("b");
        edge.Continuity.Bind("thread:t", "b");
    });

    private static async Task<JsonNode> MadeAsync(RunningEdge edge, string path, string body, string? thread = "t")
    {
        var (status, answer) = await SendAsync(edge, "POST", path, body, thread);
        Assert.True(status == 200, answer);
        return JsonNode.Parse(answer)!;
    }

    private static async Task<(int Status, string Body)> SendAsync(RunningEdge edge, string method, string path, string? body, string? thread = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (thread is not null)
        {
            request.Headers.Add("thread-id", thread);
        }
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }
        using var response = await edge.Http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}

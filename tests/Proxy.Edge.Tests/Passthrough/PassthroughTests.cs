using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Tests.Fixture;
using Proxy.Edge.Tests.Http;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Passthrough;

public sealed class PassthroughTests
{
    [Fact]
    public async Task A_response_is_read_cancelled_and_deleted_on_the_account_that_made_it()
    {
        await using var edge = await TwoAccountsAsync();
        edge.Continuity.Bind("thread:t", "b");
        using var made = await edge.PostAsync(RunningEdge.Body(stream: false), headers: ("thread-id", "t"));
        var body = await made.Content.ReadAsStringAsync();
        var id = (string)JsonNode.Parse(body)!["id"]!;
        edge.Accounts.Asked.Clear();

        foreach (var (method, path) in new[] { ("GET", ""), ("GET", "/input_items?limit=1"), ("POST", "/cancel"), ("DELETE", "") })
        {
            var (status, _) = await SendAsync(edge, method, $"/v1/responses/{id}{path}");
            var seen = edge.Sim.Recorded.All[^1];
            Assert.Equal(("b", method, $"/v1/responses/{id}{path}"), (seen.Account, seen.Method, seen.Path + seen.Query));
            Assert.NotEqual(404, status);
        }
        Assert.All(edge.Accounts.Asked, request => Assert.Equal("dom-b", request.Domain));
    }

    [Theory]
    [InlineData("GET", "/v1/responses/resp_x")]
    [InlineData("DELETE", "/backend-api/codex/responses/resp_x")]
    [InlineData("POST", "/v1/responses/resp_x/cancel")]
    [InlineData("GET", "/v1/conversations/conv_x")]
    [InlineData("DELETE", "/v1/conversations/conv_x/items/msg_1")]
    [InlineData("GET", "/v1/files/file-x/content")]
    [InlineData("GET", "/v1/files/..%2Ffiles")]
    public async Task An_id_that_is_unknown_or_another_keys_is_not_found(string method, string path)
    {
        await using var edge = await RunningEdge.StartAsync();
        Assert.Equal((404, null), await StatusAsync(edge, method, path));
        foreach (var id in (string[])["resp_x", "conv_x", "file-x"])
        {
            edge.Continuity.Own(id, "a", keyId: "key-2");
        }
        Assert.Equal((404, null), await StatusAsync(edge, method, path));
        Assert.Empty(edge.Sim.Recorded.All);
    }

    // A client that looks for what it lost compares texts.
    [Theory]
    [InlineData("/v1/responses/resp_x", """{"error":{"message":"Response with id 'resp_x' not found.","type":"invalid_request_error","code":null,"param":null}}""")]
    [InlineData("/v1/conversations/conv_x", """{"error":{"message":"Conversation with id 'conv_x' not found.","type":"invalid_request_error","code":null,"param":null}}""")]
    [InlineData("/v1/files/file-x", """{"error":{"message":"No such File object: file-x","type":"invalid_request_error","code":null,"param":"id"}}""")]
    public async Task Not_found_reads_as_the_API_says_it(string path, string body)
    {
        await using var edge = await RunningEdge.StartAsync();
        Assert.Equal((404, body), await SendAsync(edge, "GET", path));
    }

    // A client would follow it past the gateway, with what it carries.
    [Fact]
    public async Task A_redirect_of_upstream_is_not_passed_on()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnRequest().Refuses(307, headers: ("location", "http://elsewhere/v1/files"))));
        using var response = await edge.Http.GetAsync("/v1/files");
        Assert.Equal((HttpStatusCode.BadGateway, null), (response.StatusCode, response.Headers.Location));
        Assert.Equal("upstream_bad_answer", AnswerTests.Code(await response.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task An_upload_that_pauses_too_long_is_told_so()
    {
        await using var edge = await RunningEdge.StartAsync(null, "Edge:BodyIdleSeconds=1");
        foreach (var (path, type) in new[] { ("/v1/responses", "application/json"), ("/v1/files", "multipart/form-data; boundary=b"), ("/v1/embeddings", "application/json") })
        {
            using var tcp = new TcpClient();
            await tcp.ConnectAsync(edge.Address.Host, edge.Address.Port);
            await using var stream = tcp.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes(
                $"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-1\r\nContent-Type: {type}\r\nContent-Length: 100\r\n\r\n{{\"model\":"));
            using var reader = new StreamReader(stream);
            Assert.Equal("HTTP/1.1 408 Request Timeout", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(15), TimeProvider.System));
            string? line;
            while ((line = await reader.ReadLineAsync())?.StartsWith('{') == false)
            {
            }
            Assert.Equal("request_timeout", AnswerTests.Code(line!));
            Assert.Contains("1 seconds", line, StringComparison.Ordinal);
        }
        // A pause that is not too long costs nothing: no rate is asked for.
        Assert.Null(edge.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits.MinRequestBodyDataRate);
    }

    [Fact]
    public async Task An_answer_that_is_cut_after_it_began_ends_cut_and_not_in_a_fault()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.Own("file-1", "a"));
        using var upstream = new RawUpstream("HTTP/1.1 200 OK\nContent-Type: text/event-stream\nContent-Length: 100\n\ndata: {}\n\n");
        edge.Add("a", baseUrl: upstream.Address);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => edge.Http.GetAsync("/v1/files/file-1/content"));
        Assert.DoesNotContain(edge.Log.Entries, entry => entry.Level >= LogLevel.Error);
    }

    [Fact]
    public async Task Unknown_ids_are_tried_where_that_is_switched_on()
    {
        await using var edge = await RunningEdge.StartAsync(null, "Continuity:UnknownIds=Try");
        Assert.Equal(404, (await SendAsync(edge, "GET", "/v1/responses/resp_x")).Status);
        Assert.Single(edge.Sim.Recorded.All);
    }

    [Fact]
    public async Task A_lookup_that_fails_is_not_an_id_that_is_unknown()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.OnResolve = _ => Task.FromResult<ResolveResponse?>(null));
        Assert.Equal((502, "upstream_unavailable"), await StatusAsync(edge, "GET", "/v1/responses/resp_x"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_conversation_belongs_to_the_key_and_the_account_that_made_it(bool chunked)
    {
        await using var edge = await TwoAccountsAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/conversations") { Content = Json("""{"metadata":{"a":"ü"}}""") };
        request.Headers.TransferEncodingChunked = chunked;
        using var made = await edge.Http.SendAsync(request);
        var answer = await made.Content.ReadAsStringAsync();
        Assert.True(made.IsSuccessStatusCode, answer);
        var id = (string)JsonNode.Parse(answer)!["id"]!;
        Assert.Equal("""{"metadata":{"a":"ü"}}""", Encoding.UTF8.GetString(Assert.Single(edge.Sim.Recorded.All).Body.Span));
        var published = Assert.Single(edge.Continuity.Published);
        Assert.Equal((OwnedKinds.Conversation, id, "acc-a", "key-1"), (published.Id.Kind, published.Id.Id, published.Owner.AccountId, published.Owner.KeyId));
        Assert.Equal((OwnedKinds.Conversation, id, "success"), ((await edge.RowAsync()).Kind, (await edge.RowAsync()).RequestId, (await edge.RowAsync()).Status));
        Assert.Equal(200, (await SendAsync(edge, "GET", $"/v1/conversations/{id}")).Status);
        Assert.Equal(200, (await edge.TurnAsync($",\"conversation\":\"{id}\"")).Status);
        Assert.Equal("dom-a", edge.Accounts.Asked.Last().Domain);
        await edge.NothingIsLeftAsync(turns: 2);
    }

    [Fact]
    public async Task An_upload_streams_through_byte_for_byte()
    {
        await using var edge = await RunningEdge.StartAsync();
        var content = new byte[3 << 20];
        new Random(7).NextBytes(content);
        using var form = new MultipartFormDataContent("----boundary") { { new StringContent("user_data"), "purpose" }, { new ByteArrayContent(content), "file", "x.bin" } };
        var sent = await form.ReadAsByteArrayAsync();
        using var response = await edge.Http.PostAsync("/v1/files", form);
        var answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, answer);
        var id = (string)JsonNode.Parse(answer)!["id"]!;
        var seen = Assert.Single(edge.Sim.Recorded.All);
        Assert.Equal(sent, seen.RawBody.ToArray());
        Assert.Equal("Bearer a", seen.Header("authorization"));
        Assert.Equal((OwnedKinds.File, id), (Assert.Single(edge.Continuity.Published).Id.Kind, edge.Continuity.Published.Single().Id.Id));
        Assert.Equal(content, await edge.Http.GetByteArrayAsync($"/v1/files/{id}/content"));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Uploads_have_a_size(bool chunked)
    {
        await using var edge = await RunningEdge.StartAsync(null, "Edge:MaxUploadBytes=65536");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/files") { Content = new MultipartFormDataContent { { new ByteArrayContent(new byte[200_000]), "file", "x" } } };
        request.Headers.TransferEncodingChunked = chunked;
        using var response = await edge.Http.SendAsync(request);
        var body = await response.Content.ReadAsStringAsync();
        Assert.Equal((400, "payload_too_large"), ((int)response.StatusCode, AnswerTests.Code(body)));
        Assert.Contains("65536", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lists_would_show_what_other_keys_have_made()
    {
        await using var edge = await RunningEdge.StartAsync();
        Assert.Equal(200, (await SendAsync(edge, "GET", "/v1/files?limit=5")).Status);
        edge.Accounts.IsSoleKey = false;
        Assert.Equal((403, "list_not_allowed"), await StatusAsync(edge, "GET", "/v1/files"));
        edge.Accounts.IsAway = true;
        Assert.Equal((503, "service_unavailable"), await StatusAsync(edge, "GET", "/v1/files"));
        edge.Accounts.IsAway = false;
    }

    [Theory]
    [InlineData("/v1/chat/completions", """{"model":"gpt-5.6","messages":[{"content":[{"file":{"file_id":"file-x"}}]}]}""", 404, null)]
    [InlineData("/v1/chat/completions", """{"previous_response_id":"resp_x"}""", 400, "previous_response_not_found")]
    [InlineData("/v1/conversations", """{"previous_response_id":"resp_x"}""", 400, "previous_response_not_found")]
    [InlineData("/v1/conversations/conv_own/items", """{"items":[{"content":[{"type":"input_file","file_id":"file-x"}]}]}""", 404, null)]
    [InlineData("/v1/conversations/conv_b/items", """{"items":[{"file_id":"file-own"}]}""", 400, "conflicting_owners")]
    public async Task Ids_in_a_body_are_checked_too(string path, string body, int status, string? code)
    {
        await using var edge = await TwoAccountsAsync();
        edge.Continuity.Own("resp_x", "a", keyId: "key-2");
        edge.Continuity.Own("file-x", "a", keyId: "key-2");
        edge.Continuity.Own("file-own", "a");
        edge.Continuity.Own("conv_own", "a");
        edge.Continuity.Own("conv_b", "b");
        Assert.Equal((status, code), await StatusAsync(edge, "POST", path, Json(body)));
        Assert.Empty(edge.Sim.Recorded.All);
    }

    // Upstream may read a body as JSON whatever its type says; an id in it must not slip past the check.
    [Theory]
    [InlineData("text/plain", 415)]
    [InlineData("application/x-www-form-urlencoded", 415)]
    [InlineData(null, 404)]
    [InlineData("APPLICATION/JSON", 404)]
    [InlineData("application/vnd.x+json", 404)]
    public async Task A_body_that_is_no_upload_is_json(string? type, int status)
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Continuity.Own("file-x", "a", keyId: "key-2");
        var content = new ByteArrayContent("""{"messages":[{"file_id":"file-x"}]}"""u8.ToArray());
        content.Headers.ContentType = type is null ? null : MediaTypeHeaderValue.Parse(type);
        Assert.Equal(status, (await StatusAsync(edge, "POST", "/v1/chat/completions", content)).Status);
        Assert.Empty(edge.Sim.Recorded.All);
    }

    [Theory]
    [InlineData("refuse", 429, "slow_down")]
    [InlineData("401", 502, "upstream_authentication_failed")]
    [InlineData("cut", 502, "stream_incomplete")]
    [InlineData("unreachable", 502, "upstream_unavailable")]
    [InlineData("stall", 504, "upstream_request_timeout")]
    public async Task Failures_of_upstream_are_told(string how, int status, string code)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => _ = how switch
            {
                "refuse" => rule.OnRequest().Refuses(429, "slow_down"),
                "401" => rule.OnRequest().Refuses(401, "invalid_api_key"),
                "cut" => rule.OnRequest().Cuts(),
                _ => rule.OnRequest().Stalls(),
            });
            if (how == "unreachable")
            {
                edge.Add("a", baseUrl: "http://127.0.0.1:1/v1");
            }
        }, "Edge:IdleSeconds=1");
        Assert.Equal((status, code), await StatusAsync(edge, "POST", "/v1/embeddings", Json("{}")));
        Assert.Equal((status, code), await StatusAsync(edge, "POST", "/v1/conversations", Json("{}")));
        edge.Sim.Release();
        Assert.NotEqual("success", (await edge.RowAsync()).Status);
        Assert.Empty(edge.Continuity.Published);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task A_stream_that_passes_through_passes_as_it_comes()
    {
        const string sse = ": hi\n\ndata: {\"type\":\"x\"}\r\n\r\ndata: half";
        await using var edge = await RunningEdge.StartAsync();
        edge.Continuity.Own("resp_1", "a");
        using var upstream = new RawUpstream($"HTTP/1.1 200 OK\nContent-Type: text/event-stream\nConnection: close\nSet-Cookie: a=b\n\n{sse}");
        edge.Add("a", baseUrl: upstream.Address);
        using var response = await edge.Http.GetAsync("/v1/responses/resp_1?stream=true&starting_after=3");
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(sse.ReplaceLineEndings("\r\n"), await response.Content.ReadAsStringAsync());
        Assert.False(response.Headers.Contains("Set-Cookie"));
    }

    [Theory]
    [InlineData("GET", "/v1/unknown")]
    [InlineData("POST", "/v1/fine_tuning/jobs")]
    [InlineData("GET", "/v1/responses")]
    [InlineData("GET", "/")]
    [InlineData("POST", "/v2/responses")]
    public async Task What_is_not_served_does_not_exist(string method, string path)
    {
        await using var edge = await RunningEdge.StartAsync();
        Assert.Equal((404, "unknown_url"), await StatusAsync(edge, method, path));
        Assert.Empty(edge.Sim.Recorded.All);
    }

    [Fact]
    public async Task Everything_asks_for_a_key_first()
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Http.DefaultRequestHeaders.Clear();
        foreach (var path in (string[])["/v1/models", "/v1/models/m", "/v1/files", "/v1/responses/resp_x"])
        {
            Assert.Equal((401, "invalid_api_key"), await StatusAsync(edge, "GET", path));
        }
        Assert.Equal((401, "invalid_api_key"), await StatusAsync(edge, "POST", "/v1/responses/compact", Json("{}")));
        Assert.Equal((200, null), ((int)(await edge.Http.GetAsync("/health")).StatusCode, null as string));
    }

    [Fact]
    public async Task The_admin_api_is_forwarded_as_it_is()
    {
        await using var edge = await RunningEdge.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Put, "/admin/v1/accounts/x?y=1");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "admin-token");
        using var response = await edge.Http.SendAsync(request);
        Assert.Equal((418, "admin"), ((int)response.StatusCode, await response.Content.ReadAsStringAsync()));
        Assert.Equal(("PUT", "/admin/v1/accounts/x", "Bearer admin-token"), Assert.Single(edge.Accounts.Admin));
        edge.Accounts.IsAway = true;
        Assert.Equal((503, "service_unavailable"), await StatusAsync(edge, "GET", "/admin/v1/accounts"));
        edge.Accounts.IsAway = false;
    }

    [Fact]
    public async Task Models_of_all_accounts_are_one_catalogue_with_a_tag()
    {
        await using var edge = await TwoAccountsAsync();
        edge.Add("c", baseUrl: "http://127.0.0.1:1/v1");
        using var first = await edge.Http.GetAsync("/v1/models?client_version=1");
        var models = JsonNode.Parse(await first.Content.ReadAsStringAsync())!["data"]!.AsArray().Select(model => (string?)model!["id"]);
        // The key may use gpt-* only, and the account that is away costs the others nothing.
        Assert.Equal(["gpt-5-mini", "gpt-5.5", "gpt-5.5-codex"], models);
        Assert.Equal(["a", "b"], edge.Sim.Recorded.All.Select(exchange => exchange.Account).Order());

        using var again = new HttpRequestMessage(HttpMethod.Get, "/backend-api/codex/models?client_version=1");
        again.Headers.IfNoneMatch.Add(first.Headers.ETag!);
        using var unchanged = await edge.Http.SendAsync(again);
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);
        Assert.Equal(2, edge.Sim.Recorded.All.Count);

        Assert.Equal("gpt-5.5", (string?)JsonNode.Parse((await SendAsync(edge, "GET", "/v1/models/gpt-5.5")).Body)!["id"]);
        Assert.Equal((404, "model_not_found"), await StatusAsync(edge, "GET", "/v1/models/text-embedding-3-small"));
    }

    [Theory]
    [InlineData("/v1/models/gpt-oss%2F120b")]
    [InlineData("/v1/models/gpt-oss/120b")]
    [InlineData("/backend-api/codex/v1/models/gpt-oss%2f120b")]
    public async Task A_model_whose_id_has_a_slash_can_be_asked_for(string path)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnRequest("/models").Then(
            new StatusStep(200) { Body = JsonDocument.Parse("""{"object":"list","data":[{"id":"gpt-oss/120b"}]}""").RootElement.Clone() })));
        Assert.Equal((200, """{"id":"gpt-oss/120b"}"""), await SendAsync(edge, "GET", path));
    }

    // Codex asks with its version and gets other models than a client without one.
    [Fact]
    public async Task Asking_for_one_model_does_not_stand_in_for_the_catalogue_of_a_version()
    {
        await using var edge = await RunningEdge.StartAsync();
        await SendAsync(edge, "GET", "/v1/models/gpt-5.5");
        await SendAsync(edge, "GET", "/v1/models?client_version=1");
        await SendAsync(edge, "GET", "/v1/models/gpt-5.5");
        Assert.Equal(["", "?client_version=1"], edge.Sim.Recorded.All.Select(exchange => exchange.Query));
    }

    [Fact]
    public async Task A_catalogue_that_no_account_has_answered_is_not_kept()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnRequest().Once().Refuses(500)));
        Assert.Empty(JsonNode.Parse((await SendAsync(edge, "GET", "/v1/models")).Body)!["data"]!.AsArray());
        Assert.NotEmpty(JsonNode.Parse((await SendAsync(edge, "GET", "/v1/models")).Body)!["data"]!.AsArray());
    }

    [Fact]
    public async Task Compaction_and_counting_are_turns()
    {
        await using var edge = await RunningEdge.StartAsync();
        foreach (var path in (string[])["/v1/responses/compact", "/v1/responses/input_tokens"])
        {
            using var response = await edge.PostAsync(RunningEdge.Body(stream: false), path);
            Assert.True(response.IsSuccessStatusCode);
            Assert.Equal(path, edge.Sim.Recorded.All[^1].Path);
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    private static Task<RunningEdge> TwoAccountsAsync() => RunningEdge.StartAsync(edge => edge.Add("b"));

    private static StringContent Json(string json) => new(json, Encoding.UTF8, "application/json");

    private static async Task<(int Status, string Body)> SendAsync(RunningEdge edge, string method, string path, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = content };
        using var response = await edge.Http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    private static async Task<(int Status, string? Code)> StatusAsync(RunningEdge edge, string method, string path, HttpContent? content = null)
    {
        var (status, body) = await SendAsync(edge, method, path, content);
        return (status, AnswerTests.Code(body));
    }
}

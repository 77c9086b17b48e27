using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using ZstdSharp;

namespace WholeSystem;

/// <summary>Whatever a stranger sends gets a clear error in OpenAI's shape; the server and the socket live on, and logs show nothing of it.</summary>
[Collection(SystemCollection.Name)]
public sealed class BadInputTests(RunningSystem system)
{
    private const string Marker = "TOP-SECRET-PROMPT";

    public static TheoryData<string, string, string, HttpStatusCode, string> Bodies => new()
    {
        { "not JSON", "application/json", $"{{\"input\":\"{Marker}\"", HttpStatusCode.BadRequest, "invalid_json" },
        { "an array", "application/json", $"[\"{Marker}\"]", HttpStatusCode.BadRequest, "invalid_json" },
        { "empty", "application/json", "", HttpStatusCode.BadRequest, "invalid_json" },
        { "two objects", "application/json", "{} {}", HttpStatusCode.BadRequest, "invalid_json" },
        { "a field twice", "application/json", $"{{\"previous_response_id\":\"resp_a\",\"previous_response_id\":\"resp_b\",\"input\":\"{Marker}\"}}", HttpStatusCode.BadRequest, "invalid_value" },
        { "a form", "application/x-www-form-urlencoded", $"input={Marker}", HttpStatusCode.UnsupportedMediaType, "unsupported_media_type" },
        { "nested too deep", "application/json", $"{{\"input\":{new string('[', 100_000)}", HttpStatusCode.BadRequest, "invalid_json" },
    };

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task Bodies_that_are_no_request_are_refused(string what, string contentType, string body, HttpStatusCode status, string code)
    {
        using var client = system.Client();
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        var answer = await client.SendAsync(HttpMethod.Post, "/v1/responses", content);
        Assert.True(status == answer.Status, $"{what}: {answer.Status} {answer.Body}");
        AssertShape(answer, code);
        await AssertServesAndLogsNothingAsync(client);
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused_with_400()
    {
        using var client = system.Client();
        var answer = await client.SendAsync(HttpMethod.Post, "/v1/responses", Json(new byte[(64 << 20) + 1]));
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        AssertShape(answer, "payload_too_large");
        await AssertServesAndLogsNothingAsync(client);
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task A_decompression_bomb_is_refused(string encoding)
    {
        using var client = system.Client();
        var content = Json(Bomb(encoding));
        content.Headers.ContentEncoding.Add(encoding);
        var answer = await client.SendAsync(HttpMethod.Post, "/v1/responses", content);
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        AssertShape(answer, "payload_too_large");
        await AssertServesAndLogsNothingAsync(client);
    }

    [Theory]
    [InlineData("zstd", HttpStatusCode.BadRequest, "invalid_content_encoding")]
    [InlineData("gzip", HttpStatusCode.BadRequest, "invalid_content_encoding")]
    [InlineData("lzma", HttpStatusCode.UnsupportedMediaType, "unsupported_content_encoding")]
    public async Task A_body_that_is_not_what_its_encoding_says_is_refused(string encoding, HttpStatusCode status, string code)
    {
        using var client = system.Client();
        var content = Json(Encoding.UTF8.GetBytes($"{{\"input\":\"{Marker}\"}}"));
        content.Headers.ContentEncoding.Add(encoding);
        var answer = await client.SendAsync(HttpMethod.Post, "/v1/responses", content);
        Assert.Equal(status, answer.Status);
        AssertShape(answer, code);
        await AssertServesAndLogsNothingAsync(client);
    }

    [Fact]
    public async Task A_compressed_body_goes_upstream_plain_and_otherwise_as_it_was()
    {
        using var client = system.Client();
        var body = Encoding.UTF8.GetBytes("""{ "model":"gpt-5.6","input":"packed","x_unknown":{"kept":[1,2.50,"\u00e4"]} }""");
        using var compressor = new Compressor();
        var content = Json(compressor.Wrap(body).ToArray());
        content.Headers.ContentEncoding.Add("zstd");
        var answer = await client.SendAsync(HttpMethod.Post, "/v1/responses", content);
        Assert.True(answer.IsSuccess, answer.Body);
        var seen = system.Simulator.Recorded.All.Single(exchange => exchange.ResponseIds.Contains(answer.Id));
        Assert.Equal(body, seen.RawBody);
        Assert.Null(seen.Header("content-encoding"));
    }

    [Fact]
    public async Task Unknown_keys_are_told_so()
    {
        using var wrong = system.Client("cp-nobody-0123456789");
        AssertShape(await wrong.CreateAsync("x"), "invalid_api_key", HttpStatusCode.Unauthorized);
        using var direct = system.Client(key: null);
        // Development lets direct callers on this machine in; one that a web page or a proxy stands behind is not direct.
        Assert.True((await direct.CreateAsync("x")).IsSuccess);
        foreach (var header in (string[])["Origin", "Forwarded", "X-Forwarded-For"])
        {
            var answer = await direct.SendAsync(HttpMethod.Post, "/v1/responses", Json("{}"u8.ToArray()), null, (header, "http://elsewhere.example"));
            AssertShape(answer, "invalid_api_key", HttpStatusCode.Unauthorized);
        }
        AssertShape(await direct.SendAsync(HttpMethod.Post, "/v1/responses", Json("{}"u8.ToArray()), null, ("Host", "gateway.example")), "invalid_api_key", HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Unknown_routes_and_ids_are_told_so()
    {
        using var client = system.Client();
        AssertShape(await client.SendAsync(HttpMethod.Get, "/v1/nothing"), "unknown_url", HttpStatusCode.NotFound);
        AssertShape(await client.SendAsync(HttpMethod.Get, "/v1/fine_tuning/jobs"), "unknown_url", HttpStatusCode.NotFound);
        AssertShape(await client.SendAsync(HttpMethod.Get, "/v1/responses/resp_unknown"), null, HttpStatusCode.NotFound);
        AssertShape(await client.SendAsync(HttpMethod.Get, "/internal/anything"), "unknown_url", HttpStatusCode.NotFound);
        AssertShape(await client.SendAsync(HttpMethod.Get, "/admin/v1/accounts"), "invalid_admin_token", HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task An_upgrade_from_a_foreign_origin_is_refused()
    {
        using var client = system.Client();
        var refused = await Assert.ThrowsAsync<WebSocketException>(() => client.ConnectAsync(("Origin", "https://evil.example")));
        Assert.Contains("403", refused.Message, StringComparison.Ordinal);
        var origin = $"http://{system.Gateway.BaseAddress.Authority}";
        using var own = await client.ConnectAsync(("Origin", origin));
        Assert.Equal("response.completed", (string?)(await own.TurnAsync("hello"))[^1]["type"]);
    }

    [Fact]
    public async Task A_socket_outlives_every_bad_frame()
    {
        using var client = system.Client();
        using var socket = await client.ConnectAsync();

        await socket.SendAsync($"no json {Marker}");
        AssertFrame(await socket.ReceiveAsync(), 400, "invalid_json");
        await socket.SendAsync(new byte[] { 1, 2, 3 }, WebSocketMessageType.Binary);
        AssertFrame(await socket.ReceiveAsync(), 400, "invalid_frame");
        await socket.SendAsync("""{"type":"response.create","stream_id":"not allowed!","input":"x"}""");
        AssertFrame(await socket.ReceiveAsync(), 400, "invalid_stream_id");
        await socket.SendAsync("""{"type":"response.create","model":"m","input":"x","previous_response_id":"a","previous_response_id":"b"}""");
        AssertFrame(await socket.ReceiveAsync(), 400, "invalid_value");
        await socket.SendAsync(new byte[(128 << 20) + 1], WebSocketMessageType.Text);
        AssertFrame(await socket.ReceiveAsync(), 400, "payload_too_large");
        await socket.SendAsync("""{"type":"response.processed","response_id":"resp_x"}""");

        var events = await socket.TurnAsync("still here");
        Assert.Equal("response.completed", (string?)events[^1]["type"]);
        await AssertServesAndLogsNothingAsync(client);
    }

    private static void AssertShape(ApiAnswer answer, string? code, HttpStatusCode? status = null)
    {
        Assert.True(status is null || status == answer.Status, $"{answer.Status}: {answer.Body}");
        var error = Assert.IsType<JsonObject>(answer.Json["error"]);
        Assert.Equal(code, (string?)error["code"]);
        Assert.Equal(["message", "type", "code", "param"], error.Select(field => field.Key));
        Assert.False(string.IsNullOrEmpty((string?)error["message"]));
    }

    private static void AssertFrame(JsonNode? frame, int status, string code)
    {
        Assert.Equal("error", (string?)frame!["type"]);
        Assert.Equal(status, (int)frame["status"]!);
        Assert.Equal(code, (string?)frame["error"]!["code"]);
    }

    private async Task AssertServesAndLogsNothingAsync(ApiClient client)
    {
        var next = await client.CreateAsync($"{Marker} again");
        Assert.True(next.IsSuccess, next.Body);
        Assert.DoesNotContain(system.Gateway.Output, line => line.Contains(Marker, StringComparison.Ordinal));
    }

    private static ByteArrayContent Json(byte[] body)
    {
        var content = new ByteArrayContent(body);
        content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
        return content;
    }

    // A gigabyte of spaces.
    private static byte[] Bomb(string encoding)
    {
        using var packed = new MemoryStream();
        using (Stream packer = encoding switch
        {
            "zstd" => new CompressionStream(packed, leaveOpen: true),
            "gzip" => new System.IO.Compression.GZipStream(packed, System.IO.Compression.CompressionLevel.Optimal, leaveOpen: true),
            _ => new System.IO.Compression.BrotliStream(packed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true),
        })
        {
            var spaces = new byte[1 << 20];
            spaces.AsSpan().Fill((byte)' ');
            for (var megabyte = 0; megabyte < 256; megabyte++)
            {
                packer.Write(spaces);
            }
        }
        return packed.ToArray();
    }
}

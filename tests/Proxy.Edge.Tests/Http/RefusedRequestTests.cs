using System.Net.Http.Headers;
using System.Text;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Http;

/// <summary>Requests that are refused before they are turns: bodies without a form or a measure, and callers without a key.</summary>
public sealed class RefusedRequestTests
{
    [Theory]
    [InlineData("{", 400, "invalid_json")]
    [InlineData("[]", 400, "invalid_json")]
    [InlineData("""{"previous_response_id":"a","previous_response_id":"b"}""", 400, "invalid_value")]
    public async Task A_body_that_cannot_be_read_never_becomes_a_turn(string body, int status, string code)
    {
        await using var edge = await RunningEdge.StartAsync();
        using var response = await edge.PostAsync(body);
        Assert.Equal((status, code), ((int)response.StatusCode, AnswerTests.Code(await response.Content.ReadAsStringAsync())));
        Assert.Empty(edge.Accounts.Asked);
    }

    [Theory]
    [InlineData(null, "text/plain", "x", 415, "unsupported_media_type")]
    [InlineData("lzma", "application/json", "x", 415, "unsupported_content_encoding")]
    [InlineData("gzip", "application/json", "not compressed at all", 400, "invalid_content_encoding")]
    [InlineData("zstd", "application/json", "x", 400, "invalid_content_encoding")]
    [InlineData("br", "application/json", "not compressed at all", 400, "invalid_content_encoding")]
    [InlineData("deflate", "application/json", "not compressed at all", 400, "invalid_content_encoding")]
    public async Task Bodies_have_a_form(string? encoding, string type, string body, int status, string code)
    {
        await using var edge = await RunningEdge.StartAsync();
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        if (encoding is not null)
        {
            content.Headers.ContentEncoding.Add(encoding);
        }
        using var response = await edge.Http.PostAsync("/v1/responses", content);
        Assert.Equal((status, code), ((int)response.StatusCode, AnswerTests.Code(await response.Content.ReadAsStringAsync())));
    }

    // 400 and not 413: agents answer 413 by sending the same again. Whether the length is told, or not, or hidden by compression.
    [Theory]
    [InlineData("plain", 20_000, false)]
    [InlineData("chunked", 20_000, false)]
    [InlineData("zstd", 100_000, true)]
    [InlineData("gzip", 100_000, true)]
    [InlineData("zstd", 20_000, false)]
    [InlineData("gzip", 20_000, false)]
    public async Task Bodies_have_a_size(string how, int length, bool isMonotonous)
    {
        await using var edge = await RunningEdge.StartAsync(null, "Edge:MaxRequestBytes=2048", "Edge:MaxDecompressedBytes=65536");
        var random = new Random(3);
        var text = RunningEdge.Body($",\"x\":\"{string.Concat(Enumerable.Range(0, length).Select(_ => isMonotonous ? 'x' : (char)random.Next('a', 'z')))}\"");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses")
        {
            Content = new ByteArrayContent(how is "zstd" or "gzip" ? Compressed.With(how, text) : Encoding.UTF8.GetBytes(text)),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.TransferEncodingChunked = how != "plain";
        if (how is "zstd" or "gzip")
        {
            request.Content.Headers.ContentEncoding.Add(how);
        }
        using var response = await edge.Http.SendAsync(request);
        Assert.Equal((400, "payload_too_large"), ((int)response.StatusCode, AnswerTests.Code(await response.Content.ReadAsStringAsync())));
        Assert.Empty(edge.Accounts.Asked);
    }

    // Well below every size, and yet a thousand times and more what was sent.
    [Theory]
    [InlineData("br")]
    [InlineData("zstd")]
    public async Task A_body_that_unfolds_a_thousand_times_is_refused(string encoding)
    {
        await using var edge = await RunningEdge.StartAsync();
        using var content = new ByteArrayContent(Compressed.With(encoding, RunningEdge.Body($",\"x\":\"{new string('x', 20 << 20)}\"")));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        content.Headers.ContentEncoding.Add(encoding);
        using var response = await edge.Http.PostAsync("/v1/responses", content);
        var answer = await response.Content.ReadAsStringAsync();
        Assert.Equal((400, "payload_too_large"), ((int)response.StatusCode, AnswerTests.Code(answer)));
        Assert.Contains("unfolds", answer, StringComparison.Ordinal);
        Assert.Empty(edge.Accounts.Asked);
    }

    [Theory]
    [InlineData(null, 401)]
    [InlineData("Bearer sk-none", 401)]
    [InlineData("Bearer ", 401)]
    [InlineData("Bearer sk-2", 200)]
    [InlineData("sk-2", 200)]
    public async Task A_key_is_needed(string? authorization, int status)
    {
        await using var edge = await RunningEdge.StartAsync();
        Assert.Equal(status, await StatusAsync(edge, "Authorization", authorization));
        Assert.Equal(200, await StatusAsync(edge, "api-key", "sk-2"));
    }

    [Fact]
    public async Task Where_loopback_is_let_in_a_wrong_key_is_still_wrong()
    {
        await using var edge = await RunningEdge.StartAsync(null, "Edge:Authentication=Loopback");
        Assert.Equal(200, await StatusAsync(edge, "x-nothing", null));
        Assert.Equal("anonymous", edge.Accounts.Asked.Last().KeyId);
        Assert.Equal(401, await StatusAsync(edge, "Authorization", "Bearer sk-none"));
        Assert.Equal(401, await StatusAsync(edge, "X-Forwarded-For", "1.2.3.4"));
        Assert.Equal(401, await StatusAsync(edge, "Origin", "http://127.0.0.1"));
    }

    private static async Task<int> StatusAsync(RunningEdge edge, string header, string? value)
    {
        using var http = new HttpClient { BaseAddress = edge.Address };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = new StringContent(RunningEdge.Body(), Encoding.UTF8, "application/json") };
        if (value is not null)
        {
            request.Headers.TryAddWithoutValidation(header, value);
        }
        using var response = await http.SendAsync(request);
        return (int)response.StatusCode;
    }
}

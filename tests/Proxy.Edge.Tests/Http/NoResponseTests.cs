using System.IO.Compression;
using System.Text;
using Proxy.Edge.Tests.Fixture;
using Proxy.Edge.Upstream;

namespace Proxy.Edge.Tests.Http;

/// <summary>Answers with a good status that hold no response.</summary>
public sealed class NoResponseTests
{
    private const string Html = "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 15\n\n<html>Hi</html>";
    private const string Redirect = "HTTP/1.1 307 Temporary Redirect\nLocation: http://elsewhere/v1/responses\nContent-Length: 0\n\n";
    private const string OnlyError = "HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 110\n\n"
        + """{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded","type":"rate_limit_error","param":null}}""";

    public static TheoryData<string, bool> Answers => new() { { Html, true }, { Html, false }, { Redirect, true }, { Redirect, false }, { OnlyError, true }, { OnlyError, false } };

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task The_turn_goes_to_another_account(string answer, bool stream)
    {
        using var upstream = new RawUpstream(answer);
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", webSockets: false, baseUrl: upstream.Address);
            edge.Add("b", webSockets: false);
        });
        var (status, body) = await edge.TurnAsync(stream: stream);
        Assert.Equal(200, status);
        Assert.Contains("You said: hello.", body, StringComparison.Ordinal);
        Assert.Equal(("success", "acc-b"), ((await edge.RowAsync()).Status, (await edge.RowAsync()).AccountId));
    }

    [Theory]
    [InlineData(Html, 502, "upstream_bad_answer")]
    [InlineData(Redirect, 502, "upstream_bad_answer")]
    [InlineData(OnlyError, 429, "rate_limit_exceeded")]
    public async Task Where_there_is_no_other_it_is_a_failure(string answer, int status, string code)
    {
        using var upstream = new RawUpstream(answer);
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("a", webSockets: false, baseUrl: upstream.Address));
        using var response = await edge.PostAsync(RunningEdge.Body(stream: false));
        Assert.Equal((status, code), ((int)response.StatusCode, AnswerTests.Code(await response.Content.ReadAsStringAsync())));
        Assert.Null(response.Headers.Location);
        var row = await edge.RowAsync();
        Assert.Equal(("failed", status, code), (row.Status, row.HttpStatus, row.ErrorCode));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("")]
    public async Task An_answer_that_is_encoded_although_nobody_asked_is_read_all_the_same(string coding)
    {
        using var plain = new MemoryStream();
        using (Stream? encoder = coding switch { "gzip" => new GZipStream(plain, CompressionMode.Compress, leaveOpen: true), "br" => new BrotliStream(plain, CompressionMode.Compress, leaveOpen: true), _ => null })
        {
            await (encoder ?? plain).WriteAsync("{\"id\":\"resp_1\"}"u8.ToArray());
        }
        using var response = new HttpResponseMessage { Content = new ByteArrayContent(plain.ToArray()) };
        if (coding.Length > 0)
        {
            response.Content.Headers.ContentEncoding.Add(coding);
        }
        using var reader = new StreamReader(await UpstreamAnswers.ReadAsync(response, CancellationToken.None), Encoding.UTF8);
        Assert.Equal("{\"id\":\"resp_1\"}", await reader.ReadToEndAsync());
    }
}

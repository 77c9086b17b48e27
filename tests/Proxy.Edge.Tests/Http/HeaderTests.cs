using System.Net;
using System.Net.Sockets;
using System.Text;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Tests.Fixture;
using Simulator.Recording;

namespace Proxy.Edge.Tests.Http;

public sealed class HeaderTests
{
    private static readonly string[] Withheld =
    [
        "cookie", "openai-organization", "openai-project", "chatgpt-account-id", "x-openai-account-routing-override", "forwarded",
        "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "x-api-key", "api-key", "te", "keep-alive", "proxy-authorization",
    ];

    private static readonly string[] Passed =
    [
        "originator", "session-id", "thread-id", "session_id", "x-codex-turn-metadata", "openai-beta", "x-client-request-id", "x-stainless-retry-count",
        "x-anything", "accept-language", "idempotency-key",
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nothing_of_the_clients_identity_goes_upstream_and_all_else_does(bool overWebSocket)
    {
        await using var edge = await RunningEdge.StartAsync();
        var seen = await SendAsync(edge, overWebSocket);
        Assert.All(Withheld, name => Assert.Null(seen.Header(name)));
        Assert.All(Passed, name => Assert.Equal($"{name}-value", seen.Header(name)));
        Assert.Equal("codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm (codex_exec; 0.169.0)", seen.Header("user-agent"));
        Assert.Equal("Bearer a", seen.Header("authorization"));
        Assert.Equal(edge.Sim.BaseAddress.Authority, seen.Header("host"));
        // Answers are scanned on their way.
        Assert.Equal(overWebSocket ? null : "identity", seen.Header("accept-encoding"));
        Assert.Null(seen.Header("sec-websocket-extensions"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_azure_account_is_shown_its_key_in_its_own_header(bool overWebSocket)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("a", kind: CredentialKind.Azure));
        var seen = await SendAsync(edge, overWebSocket, withheld: false);
        Assert.Equal("a", seen.Header("api-key"));
        Assert.Null(seen.Header("authorization"));
    }

    [Fact]
    public async Task The_client_gets_upstreams_headers_but_none_of_its_connection()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Answer(answer => answer with
        {
            Headers = new Dictionary<string, string>
            {
                ["x-codex-primary-used-percent"] = "42",
                ["set-cookie"] = "a=b",
                ["alt-svc"] = "h3",
                ["x-ratelimit-remaining-tokens"] = "5",
                ["location"] = "http://elsewhere/",
                ["access-control-allow-origin"] = "*",
                ["x-continuity"] = "owner=forged",
            },
        })));
        using var response = await edge.PostAsync(RunningEdge.Body());
        Assert.Equal("42", response.Headers.GetValues("x-codex-primary-used-percent").Single());
        Assert.Equal("5", response.Headers.GetValues("x-ratelimit-remaining-tokens").Single());
        Assert.Single(response.Headers.GetValues("x-request-id"));
        Assert.All(["set-cookie", "alt-svc", "location", "access-control-allow-origin", "server"], name => Assert.False(response.Headers.Contains(name)));
        Assert.Equal("owner=none; replays=0", response.Headers.GetValues("x-continuity").Single());
    }

    // A workspace path in Codex's turn metadata is not always ASCII.
    [Fact]
    public async Task Header_values_beyond_ascii_pass_as_the_bytes_they_are()
    {
        await using var edge = await RunningEdge.StartAsync();
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(edge.Address.Host, edge.Address.Port);
        await using var stream = tcp.GetStream();
        var body = RunningEdge.Body(stream: false);
        await stream.WriteAsync(Encoding.UTF8.GetBytes(
            $"POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-1\r\nContent-Type: application/json\r\nConnection: close\r\nX-Workspace: /home/jürgen/😀\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        using var reader = new StreamReader(stream);
        var answer = await reader.ReadToEndAsync();
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        var seen = Assert.Single(edge.Sim.Recorded.Turns);
        Assert.Equal("/home/jürgen/😀", seen.Header("x-workspace"));
        // The client's own trace context passes; ours is no business of a third party.
        Assert.Equal("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", seen.Header("traceparent"));
    }

    [Fact]
    public async Task So_do_those_of_upstream()
    {
        using var upstream = new RawUpstream("HTTP/1.1 200 OK\nContent-Type: application/json\nX-City: Zürich\nContent-Length: 2\n\n{}");
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("a", baseUrl: upstream.Address));
        using var http = new HttpClient(new SocketsHttpHandler { ResponseHeaderEncodingSelector = (_, _) => Encoding.UTF8 }) { BaseAddress = edge.Address };
        http.DefaultRequestHeaders.Add("Authorization", "Bearer sk-1");
        using var response = await http.PostAsync("/v1/responses", new StringContent(RunningEdge.Body(), Encoding.UTF8, "application/json"));
        Assert.Equal("Zürich", response.Headers.GetValues("x-city").Single());
    }

    // Kestrel would answer 500 in its place.
    [Fact]
    public async Task A_header_of_upstream_with_a_control_character_is_left_out()
    {
        using var upstream = new RawUpstream("HTTP/1.1 200 OK\nContent-Type: application/json\nX-Odd: a\u0001b\nX-Good: 1\nContent-Length: 2\n\n{}");
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("a", baseUrl: upstream.Address));
        using var response = await edge.PostAsync(RunningEdge.Body(stream: false));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.True(response.Headers.Contains("x-good"));
        Assert.False(response.Headers.Contains("x-odd"));
    }

    private static async Task<Exchange> SendAsync(RunningEdge edge, bool overWebSocket, bool withheld = true)
    {
        (string, string)[] headers =
        [
            .. Passed.Concat(withheld ? Withheld : []).Select(name => (name, $"{name}-value")),
            ("user-agent", "codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm (codex_exec; 0.169.0)"), ("accept-encoding", "gzip"),
        ];
        if (overWebSocket)
        {
            using var socket = await edge.ConnectAsync(headers: headers);
            Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
            return Assert.Single(edge.Sim.Recorded.Sockets);
        }
        using var response = await edge.PostAsync(RunningEdge.Body(), headers: headers);
        Assert.True(response.IsSuccessStatusCode);
        return Assert.Single(edge.Sim.Recorded.Turns);
    }
}

namespace Clients.Tests;

/// <summary>
/// What Codex sends is what upstream gets, and what upstream answers is what Codex gets, byte for byte: two taps on the raw connections,
/// in front of the edge and behind it, compared in one run. The differences allowed are listed here and nowhere else.
/// </summary>
public sealed class TransparencyTests(PlainClientSystem system) : IClassFixture<PlainClientSystem>
{
    /// <summary>Of the connection, or the account's own instead of the client's.</summary>
    private static readonly string[] RequestHeadersThatDiffer =
        ["host", "authorization", "connection", "upgrade", "content-length", "transfer-encoding", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions",
            // Upstream is asked for plain text: what is coded cannot be read on its way.
            "accept-encoding"];

    /// <summary>Of the connection, or added by the edge.</summary>
    private static readonly string[] ResponseHeadersThatDiffer =
        ["connection", "upgrade", "date", "server", "content-length", "transfer-encoding", "sec-websocket-accept", "x-continuity"];

    [NeedsNpmFact]
    public async Task Frames_pass_as_they_are()
    {
        using var codex = await Codex.CreateAsync(system.BaseAddress, overWebSocket: true);
        var (front, behind) = await RunAsync(codex);
        var (sockets, upstreamSockets) = (front.Where(exchange => exchange.IsWebSocket).ToList(), behind.Where(exchange => exchange.IsWebSocket).ToList());
        Assert.Equal(2, sockets.Count);
        Assert.Equal(sockets.Count, upstreamSockets.Count);
        foreach (var (socket, upstream) in sockets.Zip(upstreamSockets))
        {
            Assert.True(socket.ClientFrames.Count >= 2);
            Assert.Equal(socket.ClientFrames, upstream.ClientFrames);
            Assert.Equal(upstream.ServerFrames, socket.ServerFrames);
            AssertHeaders(socket, upstream);
        }
    }

    [NeedsNpmFact]
    public async Task Bodies_and_events_pass_as_they_are()
    {
        using var codex = await Codex.CreateAsync(system.BaseAddress, overWebSocket: false);
        var (front, behind) = await RunAsync(codex);
        Assert.Equal(2, front.Count);
        Assert.Equal(front.Count, behind.Count);
        foreach (var (exchange, upstream) in front.Zip(behind))
        {
            Assert.NotEmpty(exchange.RequestBody);
            Assert.Equal(exchange.RequestBody, upstream.RequestBody);
            Assert.NotEmpty(exchange.ResponseBody);
            Assert.Equal(upstream.ResponseBody, exchange.ResponseBody);
            AssertHeaders(exchange, upstream);
        }
    }

    private async Task<(List<HttpExchange> Front, List<HttpExchange> Behind)> RunAsync(Codex codex)
    {
        var (frontBefore, behindBefore) = (Responses(system.Front).Count, Responses(system.Behind).Count);
        await codex.ExecAsync("compare the bytes");
        await codex.ResumeAsync("and again");
        return ([.. Responses(system.Front).Skip(frontBefore)], [.. Responses(system.Behind).Skip(behindBefore)]);
    }

    private static List<HttpExchange> Responses(Tap tap) => [.. tap.Exchanges.Where(exchange => exchange.RequestLine.Contains("/responses", StringComparison.Ordinal))];

    private static void AssertHeaders(HttpExchange client, HttpExchange upstream)
    {
        Assert.Equal(client.RequestLine, upstream.RequestLine);
        Assert.Equal(Others(client.RequestHeaders, RequestHeadersThatDiffer), Others(upstream.RequestHeaders, RequestHeadersThatDiffer));
        Assert.Equal(Others(upstream.ResponseHeaders, ResponseHeadersThatDiffer), Others(client.ResponseHeaders, ResponseHeadersThatDiffer));
        Assert.Contains(("authorization", $"Bearer {ClientSystem.Key}"), client.RequestHeaders);
        Assert.Contains(("authorization", $"Bearer {ClientSystem.UpstreamToken}"), upstream.RequestHeaders);
        Assert.Equal(upstream.Status, client.Status);
    }

    private static IEnumerable<(string, string)> Others(IEnumerable<(string Name, string Value)> headers, string[] except) =>
        headers.Where(header => !except.Contains(header.Name)).Order();
}

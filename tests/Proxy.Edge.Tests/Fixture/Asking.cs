using System.Text.Json.Nodes;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>What clients of both kinds send, and how they read what comes.</summary>
internal static class Asking
{
    /// <summary>The handshake header by which a Codex client is known.</summary>
    public static readonly (string Name, string Value) Codex = ("openai-beta", "responses_websockets=2026-02-06");

    /// <summary>A <c>response.create</c> whose response is stored unless said otherwise.</summary>
    public static string Frame(string input = "hello", string? lane = null, bool store = true, string? anchor = null, string more = "") =>
        $$"""{"type":"response.create"{{(lane is null ? "" : $",\"stream_id\":\"{lane}\"")}},"model":"{{RunningEdge.Model}}","store":{{(store ? "true" : "false")}},"input":"{{input}}"{{Anchor(anchor)}}{{more}}}""";

    /// <summary>The same turn over HTTP.</summary>
    public static string HttpBody(string frame, bool stream = true) =>
        frame.Replace("\"type\":\"response.create\"", $"\"stream\":{(stream ? "true" : "false")}", StringComparison.Ordinal);

    /// <summary>A turn over HTTP to its end.</summary>
    public static async Task<(int Status, string Body)> AskAsync(this RunningEdge edge, string body, params (string Name, string Value)[] headers)
    {
        using var response = await edge.PostAsync(body, headers: headers);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>The bodies of the turns that an account got over HTTP, as text.</summary>
    public static IReadOnlyList<string> BodiesAt(this RunningEdge edge, string token) =>
        [.. edge.Sim.Recorded.Of(token).Where(exchange => exchange.Turn is not null).Select(exchange => System.Text.Encoding.UTF8.GetString(exchange.RawBody.Span))];

    /// <summary>The member that makes a turn a follow-up.</summary>
    public static string Anchor(string? id) => id is null ? "" : $",\"previous_response_id\":\"{id}\"";

    /// <summary>Connects as Codex or as another client.</summary>
    public static Task<EdgeSocket> ConnectAsAsync(this RunningEdge edge, bool codex, params (string Name, string Value)[] headers) =>
        edge.ConnectAsync(headers: codex ? [Codex, .. headers] : headers);

    /// <summary>Sends a frame and returns what comes, up to and with the terminal event. Keep-alives are left out.</summary>
    public static async Task<List<JsonNode>> AskAsync(this EdgeSocket socket, string frame)
    {
        await socket.SendAsync(frame);
        return (await socket.UntilTerminalAsync()).ConvertAll(text => JsonNode.Parse(text)!).FindAll(json => json.Type() != "keepalive");
    }

    /// <summary>Completes a turn and returns its response id.</summary>
    public static async Task<string> AnchorAsync(this EdgeSocket socket, bool store = true, string input = "first", string? lane = null)
    {
        await socket.SendAsync(Frame(input, lane, store));
        var last = JsonNode.Parse((await socket.UntilTerminalAsync(lane))[^1])!;
        Assert.Equal("response.completed", last.Type());
        return last.Id()!;
    }

    /// <summary>Whatever became of the last turn: the next one on the same socket succeeds.</summary>
    public static async Task StillWorksAsync(this EdgeSocket socket, string? lane = null)
    {
        await socket.SendAsync(Frame("still there", lane));
        var last = JsonNode.Parse((await socket.UntilTerminalAsync(lane))[^1])!;
        Assert.Equal("response.completed", last.Type());
        Assert.Contains("You said: still there.", last.ToJsonString(), StringComparison.Ordinal);
    }

    /// <summary>The <c>response.create</c> frames that an account got, as text.</summary>
    public static IReadOnlyList<string> FramesAt(this RunningEdge edge, string token) =>
        [.. edge.Sim.Recorded.Of(token).SelectMany(exchange => exchange.Received).Where(frame => frame.Turn is not null).OrderBy(frame => frame.At).Select(frame => frame.Text)];

    /// <summary>The WebSockets of an account on which turns were asked for.</summary>
    public static int SocketsUsedAt(this RunningEdge edge, string token) =>
        edge.Sim.Recorded.Of(token).Count(exchange => exchange.Received.Any(frame => frame.Turn is not null));

    public static string? Type(this JsonNode json) => (string?)json["type"];

    public static string? Lane(this JsonNode json) => (string?)json["stream_id"];

    public static string? Id(this JsonNode json) => (string?)json["response"]?["id"];

    public static long Sequence(this JsonNode json) => (long)json["sequence_number"]!;

    /// <summary>The error of an error frame, of a <c>response.failed</c> or of an HTTP envelope.</summary>
    public static JsonNode? Error(this JsonNode json) => json["error"] ?? json["response"]?["error"];

    public static string? Code(this JsonNode json) => (string?)json.Error()?["code"];

    public static string? Message(this JsonNode json) => (string?)json.Error()?["message"];
}

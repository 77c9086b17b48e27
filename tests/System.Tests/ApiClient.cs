using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Testing;

namespace WholeSystem;

/// <summary>An answer of the API.</summary>
public sealed record ApiAnswer(HttpStatusCode Status, string Body, HttpResponseHeaders Headers)
{
    public bool IsSuccess => (int)Status is >= 200 and < 300;

    public JsonNode Json => JsonNode.Parse(Body)!;

    public string Id => (string)Json["id"]!;

    public string? ErrorCode => (string?)Json["error"]!["code"];

    public string Text => (string)Json["output"]!.AsArray().Last()!["content"]![0]!["text"]!;
}

/// <summary>A plain client of the Responses API with the verbs tests need.</summary>
public sealed class ApiClient(Uri edge, string? key) : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly HttpClient _http = Create(edge, key);

    /// <summary>A turn that is not streamed.</summary>
    public Task<ApiAnswer> CreateAsync(string input, string? anchor = null, string? session = null, JsonObject? more = null) =>
        SendAsync(HttpMethod.Post, "/v1/responses", Request(input, anchor, stream: false, more), session);

    /// <summary>The same, where the edge may be away: then an answer of 503.</summary>
    public async Task<ApiAnswer> TryCreateAsync(string input, string? anchor = null)
    {
        try
        {
            return await CreateAsync(input, anchor);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            using var none = new HttpResponseMessage(HttpStatusCode.ServiceUnavailable);
            return new ApiAnswer(HttpStatusCode.ServiceUnavailable, """{"error":{"code":"no_answer"}}""", none.Headers);
        }
    }

    /// <summary>A streamed turn: the events' data, in order.</summary>
    public async Task<IReadOnlyList<JsonNode>> StreamAsync(string input, string? anchor = null)
    {
        var answer = await SendAsync(HttpMethod.Post, "/v1/responses", Request(input, anchor, stream: true, null));
        return [.. answer.Body.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => JsonNode.Parse(line["data: ".Length..])!)];
    }

    public Task<ApiAnswer> SendAsync(HttpMethod method, string path, JsonNode? body = null, string? session = null) =>
        SendAsync(method, path, body is null ? null : new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"), session);

    public async Task<ApiAnswer> SendAsync(HttpMethod method, string path, HttpContent? content, string? session = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        if (session is not null)
        {
            request.Headers.Add("session-id", session);
        }
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        using var response = await _http.SendAsync(request);
        return new ApiAnswer(response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers);
    }

    /// <summary>Opens a WebSocket.</summary>
    public async Task<ApiSocket> ConnectAsync(params (string Name, string Value)[] headers)
    {
        var socket = new ClientWebSocket();
        if (key is not null)
        {
            socket.Options.SetRequestHeader("Authorization", $"Bearer {key}");
        }
        foreach (var (name, value) in headers)
        {
            socket.Options.SetRequestHeader(name, value);
        }
        using var limit = new CancellationTokenSource(Limit);
        await socket.ConnectAsync(new Uri($"ws://{edge.Authority}/v1/responses"), limit.Token);
        return new ApiSocket(socket);
    }

    public void Dispose() => _http.Dispose();

    private static JsonObject Request(string input, string? anchor, bool stream, JsonObject? more)
    {
        var request = new JsonObject { ["model"] = "gpt-5.6", ["input"] = input, ["stream"] = stream };
        if (anchor is not null)
        {
            request["previous_response_id"] = anchor;
        }
        foreach (var (name, value) in more ?? [])
        {
            request[name] = value?.DeepClone();
        }
        return request;
    }

    private static HttpClient Create(Uri edge, string? key)
    {
        var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = edge, Timeout = Limit };
        if (key is not null)
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }
        return http;
    }
}

/// <summary>A WebSocket to the API.</summary>
public sealed class ApiSocket(ClientWebSocket socket) : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public ClientWebSocket Socket => socket;

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text);

    public async Task SendAsync(ReadOnlyMemory<byte> bytes, WebSocketMessageType type)
    {
        using var limit = new CancellationTokenSource(Limit);
        await socket.SendAsync(bytes, type, endOfMessage: true, limit.Token);
    }

    /// <summary>The next message as JSON; null when the peer has closed.</summary>
    public async Task<JsonNode?> ReceiveAsync() => await socket.ReceiveMessageAsync(Limit) is { } message ? JsonNode.Parse(message) : null;

    /// <summary>Runs a turn: its events up to the terminal one, or the error frame.</summary>
    public async Task<IReadOnlyList<JsonNode>> TurnAsync(string input, string? anchor = null, string? more = null)
    {
        var previous = anchor is null ? "" : $",\"previous_response_id\":\"{anchor}\"";
        await SendAsync($$"""{"type":"response.create","model":"gpt-5.6","store":false,"input":"{{input}}"{{previous}}{{more}}}""");
        var events = new List<JsonNode>();
        while (true)
        {
            var next = await ReceiveAsync() ?? throw new IOException("The socket was closed within a turn.");
            events.Add(next);
            if ((string?)next["type"] is "response.completed" or "response.failed" or "response.incomplete" or "error")
            {
                return events;
            }
        }
    }

    public void Dispose() => socket.Dispose();
}

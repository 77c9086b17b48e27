using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace Simulator.Tests;

/// <summary>A bare client of the API for one account.</summary>
internal sealed class Client(SimulatorServer simulator, string token = "tok1") : IDisposable
{
    public HttpClient Http { get; } = Create(simulator, token);

    public Task<HttpResponseMessage> PostAsync(object body, bool stream = false) => Http.SendAsync(
        new HttpRequestMessage(HttpMethod.Post, "v1/responses") { Content = JsonContent.Create(body) },
        stream ? HttpCompletionOption.ResponseHeadersRead : HttpCompletionOption.ResponseContentRead);

    public async Task<JsonElement> JsonAsync(object body)
    {
        using var response = await PostAsync(body);
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    /// <summary>A text turn; the answer as JSON.</summary>
    public Task<JsonElement> AskAsync(string input, string? anchor = null, bool store = true) =>
        JsonAsync(new { model = "m", input, previous_response_id = anchor, store });

    /// <summary>The raw text of an SSE body.</summary>
    public async Task<string> StreamAsync(object body)
    {
        using var response = await PostAsync(body);
        return await response.Content.ReadAsStringAsync();
    }

    /// <summary>The body as far as it came, and whether it was cut.</summary>
    public async Task<(string Text, bool Cut)> ReadToCutAsync(object body)
    {
        var text = new StringBuilder();
        try
        {
            using var response = await PostAsync(body, stream: true);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            var buffer = new char[4096];
            while (await reader.ReadAsync(buffer) is > 0 and var read)
            {
                text.Append(buffer, 0, read);
            }

            return (text.ToString(), false);
        }
        catch (Exception cut) when (cut is HttpRequestException or IOException)
        {
            return (text.ToString(), true);
        }
    }

    public async Task<Socket> ConnectAsync(Action<ClientWebSocketOptions>? configure = null)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer " + token);
        socket.Options.CollectHttpResponseDetails = true;
        configure?.Invoke(socket.Options);
        await socket.ConnectAsync(new UriBuilder(new Uri(simulator.BaseAddress, "v1/responses")) { Scheme = "ws" }.Uri, default);
        return new Socket(socket);
    }

    public void Dispose() => Http.Dispose();

    public static List<JsonElement> Events(string sse) =>
        [.. sse.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(block => block.Contains("data: ", StringComparison.Ordinal)).Select(block =>
            JsonDocument.Parse(string.Join('\n', block.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => line[6..]))).RootElement)];

    private static HttpClient Create(SimulatorServer simulator, string token)
    {
        var http = new HttpClient { BaseAddress = simulator.BaseAddress, Timeout = TimeSpan.FromSeconds(10) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        return http;
    }
}

/// <summary>A WebSocket of a client.</summary>
internal sealed class Socket(ClientWebSocket socket) : IDisposable
{
    private readonly byte[] _buffer = new byte[64 * 1024];

    public ClientWebSocket Raw { get; } = socket;

    public Task SendAsync(object frame) => SendTextAsync(frame as string ?? JsonSerializer.Serialize(frame));

    public Task CreateAsync(string input, string? anchor = null, string? lane = null, bool store = false, bool generate = true)
    {
        var frame = new Dictionary<string, object> { ["type"] = "response.create", ["model"] = "m", ["input"] = input, ["store"] = store, ["generate"] = generate };
        if (anchor is not null)
        {
            frame["previous_response_id"] = anchor;
        }

        if (lane is not null)
        {
            frame["stream_id"] = lane;
        }

        return SendAsync(frame);
    }

    /// <summary>The next message; a fault after ten seconds or a close.</summary>
    public async Task<JsonElement> ReceiveAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var length = 0;
        while (true)
        {
            var received = await Raw.ReceiveAsync(_buffer.AsMemory(length), limit.Token);
            length += received.Count;
            if (received.MessageType == WebSocketMessageType.Close)
            {
                throw new WebSocketException($"Closed {(int?)Raw.CloseStatus}.");
            }

            if (received.EndOfMessage)
            {
                return JsonDocument.Parse(_buffer.AsMemory(0, length).ToArray()).RootElement;
            }
        }
    }

    /// <summary>Messages up to and with the first of one of these types; errors and terminals by default.</summary>
    public async Task<List<JsonElement>> UntilAsync(params string[] types)
    {
        string[] last = types.Length > 0 ? types : ["response.completed", "response.failed", "response.incomplete", "error"];
        var events = new List<JsonElement>();
        do
        {
            events.Add(await ReceiveAsync());
        }
        while (!last.Contains(events[^1].Type()));
        return events;
    }

    public async Task<string> AskAsync(string input, string? anchor = null, string? lane = null, bool store = false, bool generate = true)
    {
        await CreateAsync(input, anchor, lane, store, generate);
        return (await UntilAsync())[^1].GetProperty("response").GetProperty("id").GetString()!;
    }

    public void Dispose() => Raw.Dispose();

    private Task SendTextAsync(string text) => Raw.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, default);
}

internal static class Json
{
    public static string? Type(this JsonElement json) => json.Text("type");

    public static string? Text(this JsonElement json, string path)
    {
        foreach (var name in path.Split('.'))
        {
            if (json.ValueKind == JsonValueKind.Array)
            {
                json = json[int.Parse(name, System.Globalization.CultureInfo.InvariantCulture)];
            }
            else if (!json.TryGetProperty(name, out json))
            {
                return null;
            }
        }

        return json.ValueKind == JsonValueKind.Null ? null : json.ToString();
    }

    /// <summary>Waits until a condition holds; the simulator notes things on other threads.</summary>
    public static async Task EventuallyAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (!condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, limit.Token);
        }
    }
}

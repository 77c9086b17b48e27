using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Testing;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>A client's WebSocket.</summary>
internal sealed class EdgeSocket(ClientWebSocket socket) : IDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    public ClientWebSocket Raw => socket;

    public int Status => (int)socket.HttpStatusCode;

    public string? Header(string name) => socket.HttpResponseHeaders?.FirstOrDefault(header => header.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value?.Single();

    public async Task SendAsync(string text, WebSocketMessageType type = WebSocketMessageType.Text)
    {
        using var limit = new CancellationTokenSource(Limit);
        await socket.SendAsync(Encoding.UTF8.GetBytes(text), type, endOfMessage: true, limit.Token);
    }

    /// <summary>Asks for a turn.</summary>
    public Task CreateAsync(string input = "hello", string? lane = null, string more = "") => SendAsync(Create(input, lane, more));

    public static string Create(string input = "hello", string? lane = null, string more = "") =>
        $$"""{"type":"response.create"{{(lane is null ? "" : $",\"stream_id\":\"{lane}\"")}},"model":"{{RunningEdge.Model}}","store":false,"input":"{{input}}"{{more}}}""";

    /// <summary>The next message; null when the peer has closed.</summary>
    public async Task<string?> ReceiveAsync() => await socket.ReceiveMessageAsync(Limit) is { } message ? Encoding.UTF8.GetString(message) : null;

    /// <summary>Messages up to and with the first terminal one, of a lane if one is named.</summary>
    public async Task<List<string>> UntilTerminalAsync(string? lane = null)
    {
        var messages = new List<string>();
        while (true)
        {
            messages.Add(await ReceiveAsync() ?? throw new IOException($"Closed {(int?)socket.CloseStatus} within a turn."));
            var json = JsonNode.Parse(messages[^1])!;
            if (IsTerminal(json) && (lane is null || (string?)json["stream_id"] == lane))
            {
                return messages;
            }
        }
    }

    /// <summary>Waits for messages until one is of a type.</summary>
    public async Task<JsonNode> UntilAsync(string type)
    {
        while (true)
        {
            var json = JsonNode.Parse(await ReceiveAsync() ?? throw new IOException($"Closed {(int?)socket.CloseStatus}."))!;
            if ((string?)json["type"] == type)
            {
                return json;
            }
        }
    }

    /// <summary>Asks for a turn and returns its terminal event.</summary>
    public async Task<JsonNode> TurnAsync(string input = "hello", string? lane = null, string more = "")
    {
        await CreateAsync(input, lane, more);
        return JsonNode.Parse((await UntilTerminalAsync(lane))[^1])!;
    }

    public void Dispose() => socket.Dispose();

    private static bool IsTerminal(JsonNode json) => (string?)json["type"] is "response.completed" or "response.failed" or "response.incomplete" or "error";
}

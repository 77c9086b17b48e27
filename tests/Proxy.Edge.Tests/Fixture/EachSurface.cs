using System.Text.Json.Nodes;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>The same turn on each surface, for what has to be the same on all of them.</summary>
internal static class EachSurface
{
    public const string Http = "http";
    public const string Socket = "websocket";
    public const string Session = "session";

    public static TheoryData<string> All => [Http, Socket, Session];

    /// <summary>Upstream over plain HTTP where that is what is asked for.</summary>
    public static Task<RunningEdge> StartAsync(string surface, Action<RunningEdge> prepare, params string[] settings) => RunningEdge.StartAsync(edge =>
    {
        if (surface == Http)
        {
            edge.Add("a", webSockets: false);
        }
        prepare(edge);
    }, settings);

    /// <summary>The events of a turn up to one of a type, or to the end of the stream.</summary>
    public static async Task<List<JsonNode>> AskAsync(this RunningEdge edge, string surface, string last, string more = "")
    {
        if (surface != Socket)
        {
            return [.. (surface == Session ? await edge.CarryAsync(more: more) : await edge.SendAsync(RunningEdge.Body(more))).Events];
        }
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync(more: more);
        var events = new List<JsonNode>();
        do
        {
            events.Add(JsonNode.Parse(await socket.ReceiveAsync() ?? throw new IOException("Closed within a turn."))!);
        }
        while (events[^1].Type() != last);
        return events;
    }
}

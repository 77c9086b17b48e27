namespace Benchmarks.Upstream;

/// <summary>The answers of the upstream, encoded once.</summary>
internal sealed class Answers
{
    /// <summary>Deltas of a burst; with its first and its last event a turn of 34 events.</summary>
    public const int BurstDeltas = 32;

    /// <summary>Deltas of a burst over a WebSocket; with its first and its last event a turn of 32 events.</summary>
    public const int SocketDeltas = 30;

    /// <summary>Deltas of a paced stream.</summary>
    public const int PacedDeltas = 40;

    private const string Words = "so it goes on, word by word, ";

    /// <summary>A response in one piece.</summary>
    public Template Json { get; } = new(Response("completed", TurnKind.Json, deltas: 4));

    /// <summary>Events of a burst, as server-sent events.</summary>
    public Template[] Burst { get; } = [.. Turn(TurnKind.Burst, BurstDeltas).Select(Sse)];

    /// <summary>Events of a paced stream.</summary>
    public Template[] Paced { get; } = [.. Turn(TurnKind.Paced, PacedDeltas).Select(Sse)];

    /// <summary>Events of a burst, as messages of a WebSocket.</summary>
    public Template[] Messages { get; } = [.. Turn(TurnKind.Burst, SocketDeltas).Select(one => new Template(one.Json))];

    private static Template Sse((string Type, string Json) one) => new($"event: {one.Type}\ndata: {one.Json}\n\n");

    private static IEnumerable<(string Type, string Json)> Turn(TurnKind kind, int deltas)
    {
        var words = kind == TurnKind.Paced ? "@" + Template.Time + " " : Words;
        yield return ("response.created", $$"""{"type":"response.created","sequence_number":0,"response":{{Response("in_progress", kind, deltas)}}}""");
        for (var number = 1; number <= deltas; number++)
        {
            yield return ("response.output_text.delta",
                $$"""{"type":"response.output_text.delta","sequence_number":{{number}},"item_id":"msg_68a1b2c3d4e5f60718293a4b5c6d7e8f9","output_index":0,"content_index":0,"delta":"{{words}}","logprobs":[]}""");
        }
        yield return ("response.completed", $$"""{"type":"response.completed","sequence_number":{{deltas + 1}},"response":{{Response("completed", kind, deltas)}}}""");
    }

    private static string Response(string status, TurnKind kind, int deltas)
    {
        var completed = status == "completed";
        var output = completed
            ? $$"""[{"id":"msg_68a1b2c3d4e5f60718293a4b5c6d7e8f9","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"{{string.Concat(Enumerable.Repeat(Words, deltas))}}"}]}]"""
            : "[]";
        var usage = completed
            ? """{"input_tokens":60,"input_tokens_details":{"cached_tokens":0},"output_tokens":40,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":100}"""
            : "null";
        return $$"""
            {"id":"{{Template.Id}}","object":"response","created_at":1767225600,"status":"{{status}}","background":false,"completed_at":{{(completed ? "1767225601" : "null")}},"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"{{kind.Model()}}","output":{{output}},"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"service_tier":"default","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","usage":{{usage}},"metadata":{},"user":null}
            """;
    }
}

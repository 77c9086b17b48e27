using System.Text.Json;

namespace Simulator.Scripts;

/// <summary>A tool call of the model. <see cref="Arguments"/> is the JSON object that the tool gets as text.</summary>
public sealed record ToolCall(string Name, JsonElement Arguments)
{
    /// <summary>Codex's shell tool. Not a login shell: what a machine's profiles do is none of a test's business.</summary>
    public static ToolCall ExecCommand(string command) =>
        new("exec_command", JsonSerializer.SerializeToElement(new Dictionary<string, object> { ["cmd"] = command, ["login"] = false }));
}

/// <summary>The shape of an answer; what is left out is the simulator's choice.</summary>
public sealed record Answer
{
    /// <summary>The text. Default: an echo of the request.</summary>
    public string? Text { get; init; }

    /// <summary>Tool calls. With calls and without <see cref="Text"/> the answer has no message.</summary>
    public IReadOnlyList<ToolCall> Calls { get; init; } = [];

    /// <summary>Number of text deltas.</summary>
    public int? Deltas { get; init; }

    /// <summary>Characters per delta; together with <see cref="Deltas"/> the text is filler of exactly that size.</summary>
    public int? DeltaSize { get; init; }

    /// <summary>Wait before every event but the first.</summary>
    public double? DelayMs { get; init; }

    /// <summary>The response id. Default: a new one.</summary>
    public string? ResponseId { get; init; }

    /// <summary>Whether the answer has a reasoning item. Default: if the request includes <c>reasoning.encrypted_content</c>.</summary>
    public bool? Reasoning { get; init; }

    /// <summary>The model that answers, where it is not the one asked for.</summary>
    public string? Model { get; init; }

    /// <summary>Headers of the HTTP response or of the 101.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>Codex turn state: the header on HTTP, a <c>response.metadata</c> event on a WebSocket.</summary>
    public string? TurnState { get; init; }

    /// <summary>Used per cent of the primary Codex window: headers on HTTP, a <c>codex.rate_limits</c> event on a WebSocket.</summary>
    public double? CodexRateLimit { get; init; }

    /// <summary>Whether anchors, conversations, files and encrypted content are taken as valid.</summary>
    public bool Unchecked { get; init; }

    /// <summary>Whether <c>response.queued</c> is sent.</summary>
    public bool Queued { get; init; }

    /// <summary>Whether events are pretty-printed: several <c>data:</c> lines on SSE.</summary>
    public bool Indented { get; init; }

    /// <summary>Reported input tokens.</summary>
    public int? InputTokens { get; init; }

    /// <summary>Reported output tokens.</summary>
    public int? OutputTokens { get; init; }
}

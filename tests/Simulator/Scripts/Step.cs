using System.Text.Json;
using System.Text.Json.Serialization;

namespace Simulator.Scripts;

/// <summary>Something that happens at a <see cref="Position"/> of an answer.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "do")]
[JsonDerivedType(typeof(StatusStep), "status")]
[JsonDerivedType(typeof(ErrorStep), "error")]
[JsonDerivedType(typeof(FailedStep), "failed")]
[JsonDerivedType(typeof(IncompleteStep), "incomplete")]
[JsonDerivedType(typeof(EventStep), "event")]
[JsonDerivedType(typeof(RawStep), "raw")]
[JsonDerivedType(typeof(PingStep), "ping")]
[JsonDerivedType(typeof(StallStep), "stall")]
[JsonDerivedType(typeof(CutStep), "cut")]
[JsonDerivedType(typeof(EofStep), "eof")]
[JsonDerivedType(typeof(CloseStep), "close")]
[JsonDerivedType(typeof(LeaveStep), "leave")]
public abstract record Step
{
    /// <summary>Where it happens; a position that is never reached counts as the end of the answer.</summary>
    public Position After { get; init; }
}

/// <summary>An HTTP status instead of an answer (a refused upgrade too); an error frame with that status on a WebSocket. Ends the turn.</summary>
public sealed record StatusStep(int Status) : Step
{
    /// <summary>Error code.</summary>
    public string? Code { get; init; }

    /// <summary>Error type.</summary>
    public string Type { get; init; } = "invalid_request_error";

    /// <summary>Error message.</summary>
    public string Message { get; init; } = "Scripted error.";

    /// <summary>Error parameter.</summary>
    public string? Param { get; init; }

    /// <summary>The whole body, where the error envelope is not enough: JSON, or a string that is sent as text.</summary>
    public JsonElement? Body { get; init; }

    /// <summary>Response headers; on a WebSocket the <c>headers</c> of the frame.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();
}

/// <summary>
/// An <c>error</c> event. On a WebSocket <c>{"type":"error","status":N,"error":{..}}</c>; on SSE, or with <see cref="Flat"/>,
/// <c>{"type":"error","code":..,"message":..,"param":..}</c>. Ends the turn unless <see cref="Continue"/>.
/// </summary>
public sealed record ErrorStep : Step
{
    /// <summary>The numeric status; null leaves it out (Codex then ignores the frame).</summary>
    public int? Status { get; init; }

    /// <summary>Error code; null leaves it out.</summary>
    public string? Code { get; init; }

    /// <summary>Error type; null leaves it out.</summary>
    public string? Type { get; init; } = "invalid_request_error";

    /// <summary>Error message, with placeholders; null leaves it out.</summary>
    public string? Message { get; init; }

    /// <summary>Error parameter; null leaves it out.</summary>
    public string? Param { get; init; }

    /// <summary>Adds <c>"response":{"id":..}</c>.</summary>
    public string? ResponseId { get; init; }

    /// <summary>Adds top-level <c>headers</c>.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>The SSE shape on every transport.</summary>
    public bool Flat { get; init; }

    /// <summary>The answer goes on afterwards.</summary>
    public bool Continue { get; init; }
}

/// <summary>A <c>response.failed</c> event. Ends the turn unless <see cref="Continue"/>.</summary>
public sealed record FailedStep : Step
{
    /// <summary>Error code; null leaves it out.</summary>
    public string? Code { get; init; }

    /// <summary>Error message, with placeholders; null leaves it out.</summary>
    public string? Message { get; init; } = "Scripted failure.";

    /// <summary>Error type; null leaves it out, as the API does.</summary>
    public string? Type { get; init; }

    /// <summary>Error parameter; null leaves it out.</summary>
    public string? Param { get; init; }

    /// <summary>A foreign id instead of the turn's own.</summary>
    public string? ResponseId { get; init; }

    /// <summary>No id at all.</summary>
    public bool Anonymous { get; init; }

    /// <summary>The answer goes on afterwards.</summary>
    public bool Continue { get; init; }
}

/// <summary>A <c>response.incomplete</c> event. Ends the turn.</summary>
public sealed record IncompleteStep : Step
{
    /// <summary>The reason.</summary>
    public string Reason { get; init; } = "max_output_tokens";
}

/// <summary>
/// Any JSON event, as given but for the placeholders <c>{response_id}</c>, <c>{previous_response_id}</c> and <c>{model}</c>
/// in it. The turn goes on.
/// </summary>
public sealed record EventStep(JsonElement Event) : Step
{
    /// <summary>Adds <c>sequence_number</c>.</summary>
    public bool Numbered { get; init; }

    /// <summary>Leaves out the <c>stream_id</c> of a named lane.</summary>
    public bool Laneless { get; init; }
}

/// <summary>Text as it is: bytes of the SSE body (so its own line ends), or one WebSocket message. Placeholders as in <see cref="EventStep"/>.</summary>
public sealed record RawStep(string Text) : Step
{
    /// <summary>A binary WebSocket message.</summary>
    public bool Binary { get; init; }
}

/// <summary>An SSE comment line, or a WebSocket ping. Neither resets Codex's idle timer.</summary>
public sealed record PingStep : Step;

/// <summary>Silence, for a time or until released. At <c>start</c> it is a hang; on an upgrade the handshake hangs.</summary>
public sealed record StallStep : Step
{
    /// <summary>How long; null until released.</summary>
    public double? Ms { get; init; }
}

/// <summary>A TCP reset.</summary>
public sealed record CutStep : Step;

/// <summary>The body, or the TCP stream of a WebSocket, ends in good order without a terminal event or a Close frame.</summary>
public sealed record EofStep : Step;

/// <summary>A Close frame on a WebSocket; the same as <see cref="EofStep"/> on HTTP.</summary>
public sealed record CloseStep : Step
{
    /// <summary>Close code.</summary>
    public int Code { get; init; } = 1000;

    /// <summary>Close reason.</summary>
    public string? Reason { get; init; }
}

/// <summary>
/// The turn is left open without a terminal event and its lane goes on to the next one: later turns can then finish it with
/// <see cref="EventStep"/>s, as a shared upstream socket does. Over HTTP the same as <see cref="EofStep"/>.
/// </summary>
public sealed record LeaveStep : Step;

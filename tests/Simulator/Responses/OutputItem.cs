using System.Text.Json;

namespace Simulator.Responses;

/// <summary>An item of a response's output, written once while it begins and once when it is done.</summary>
internal abstract record OutputItem(string Id)
{
    public abstract void Write(Utf8JsonWriter json, bool done);

    /// <summary>Roughly what it costs.</summary>
    public abstract int Tokens { get; }

    protected static void Begin(Utf8JsonWriter json, string id, string type, bool? done)
    {
        json.WriteStartObject();
        json.WriteString("id", id);
        json.WriteString("type", type);
        if (done is { } finished)
        {
            json.WriteString("status", finished ? "completed" : "in_progress");
        }
    }
}

internal sealed record MessageItem(string Id, string Text) : OutputItem(Id)
{
    public override int Tokens => (Text.Length / 4) + 1;

    public override void Write(Utf8JsonWriter json, bool done)
    {
        Begin(json, Id, "message", done);
        json.WriteString("role", "assistant");
        json.WriteStartArray("content");
        if (done)
        {
            WritePart(json, Text);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    public static void WritePart(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type", "output_text");
        json.WriteStartArray("annotations");
        json.WriteEndArray();
        json.WriteStartArray("logprobs");
        json.WriteEndArray();
        json.WriteString("text", text);
        json.WriteEndObject();
    }
}

internal sealed record FunctionCallItem(string Id, string CallId, string Name, string Arguments) : OutputItem(Id)
{
    public override int Tokens => (Arguments.Length / 4) + 8;

    public override void Write(Utf8JsonWriter json, bool done)
    {
        Begin(json, Id, "function_call", done);
        json.WriteString("call_id", CallId);
        json.WriteString("name", Name);
        json.WriteString("arguments", done ? Arguments : "");
        json.WriteEndObject();
    }
}

internal sealed record ReasoningItem(string Id, string? Encrypted) : OutputItem(Id)
{
    public override int Tokens => 16;

    public override void Write(Utf8JsonWriter json, bool done)
    {
        Begin(json, Id, "reasoning", null);
        json.WriteStartArray("summary");
        json.WriteEndArray();
        if (Encrypted is not null)
        {
            json.WriteString("encrypted_content", Encrypted);
        }

        json.WriteEndObject();
    }
}

internal sealed record CompactionItem(string Id, string Encrypted) : OutputItem(Id)
{
    public override int Tokens => 32;

    public override void Write(Utf8JsonWriter json, bool done)
    {
        Begin(json, Id, "compaction", null);
        json.WriteString("encrypted_content", Encrypted);
        json.WriteEndObject();
    }
}

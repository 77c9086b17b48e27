using System.Text;
using System.Text.Json;

namespace Proxy.Edge.Protocol;

/// <summary>What an event means to a turn; all others only pass.</summary>
internal enum EventKind
{
    Other,

    /// <summary>A piece of output.</summary>
    Delta,
    Created,
    Completed,
    Incomplete,
    Failed,
    Error,

    /// <summary><c>response.metadata</c>: headers that upstream sends late.</summary>
    Metadata,

    /// <summary><c>response.output_item.done</c>: an item is whole.</summary>
    Item,

    /// <summary>An answer to a frame about a response, such as <c>response.steer.accepted</c>.</summary>
    Control,
}

/// <summary>The beginning of an event: enough to relay it.</summary>
internal readonly record struct EventHead(EventKind Kind, long? SequenceNumber)
{
    /// <summary>True for the last event of a response.</summary>
    public bool IsTerminal => Kind is EventKind.Completed or EventKind.Incomplete or EventKind.Failed or EventKind.Error;
}

/// <summary>Scans events without an object tree; an event that only passes costs no allocation.</summary>
internal static class EventScanner
{
    public static readonly JsonReaderOptions Options = new() { MaxDepth = 256 };

    /// <summary>
    /// Type and sequence number, reading no further than it must; upstream writes them first:
    /// <code>{"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_1","delta":"Hel",...}</code>
    /// Text that is not a JSON object is <see cref="EventKind.Other"/>: it passes.
    /// </summary>
    public static EventHead ReadHead(ReadOnlySpan<byte> json)
    {
        EventKind? kind = null;
        long? sequence = null;
        var hasError = false;
        try
        {
            var reader = new Utf8JsonReader(json, Options);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return default;
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("type"u8))
                {
                    reader.Read();
                    kind = reader.TokenType == JsonTokenType.String ? KindOf(TypeAt(ref reader)) : EventKind.Other;
                }
                else if (reader.ValueTextEquals("sequence_number"u8))
                {
                    reader.Read();
                    sequence = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number) ? number : null;
                }
                else if (reader.ValueTextEquals("error"u8))
                {
                    reader.Read();
                    hasError = reader.TokenType == JsonTokenType.StartObject;
                    reader.Skip();
                }
                else
                {
                    reader.Skip();
                }
                if (kind is not null && sequence is not null)
                {
                    break;
                }
            }
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            // Half an event, or none: what was read so far stands.
        }
        // {"error":{...}}: an error that does not say so in its type.
        return new EventHead(kind ?? (hasError ? EventKind.Error : EventKind.Other), sequence);
    }

    /// <summary>True for a body that begins like a JSON object; a page of HTML or a line of text is none.</summary>
    public static bool IsObject(ReadOnlySpan<byte> body)
    {
        var first = body.IndexOfAnyExcept(" \t\r\n"u8);
        return first >= 0 && body[first] == (byte)'{';
    }

    /// <summary>The type of an event; empty where there is none.</summary>
    public static ReadOnlySpan<byte> ReadType(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, Options);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("type"u8))
                {
                    reader.Read();
                    return reader.TokenType == JsonTokenType.String ? TypeAt(ref reader) : default;
                }
                reader.Skip();
            }
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            // Then it has none.
        }
        return default;
    }

    /// <summary>The lane a frame belongs to, or null for the default lane.</summary>
    public static string? ReadStreamId(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, Options);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return null;
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("stream_id"u8))
                {
                    reader.Read();
                    return reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                }
                reader.Skip();
            }
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            // No lane of ours has a name that cannot be read.
        }
        return null;
    }

    /// <summary>
    /// The value of a header in <c>response.metadata</c>, or null:
    /// <code>{"type":"response.metadata","headers":{"x-codex-turn-state":"ts_1"}}</code>
    /// </summary>
    public static string? ReadHeader(ReadOnlySpan<byte> json, ReadOnlySpan<byte> name)
    {
        try
        {
            var reader = new Utf8JsonReader(json, Options);
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 2 && reader.ValueTextEquals(name))
                {
                    return ReadString(ref reader);
                }
            }
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            // Then there is no header.
        }
        return null;
    }

    // The reader has two kinds of exceptions: one for what is no JSON, one for strings that are no Unicode.
    public static bool IsMalformed(Exception exception) => exception is JsonException or InvalidOperationException;

    // JSON lets a type be written with escapes; nobody does, so only those cost memory.
    private static ReadOnlySpan<byte> TypeAt(scoped ref Utf8JsonReader reader) => reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : reader.ValueSpan;

    private static EventKind KindOf(ReadOnlySpan<byte> type) =>
        type.SequenceEqual(WireTypes.Created) ? EventKind.Created
        : type.SequenceEqual(WireTypes.Completed) ? EventKind.Completed
        : type.SequenceEqual(WireTypes.Incomplete) ? EventKind.Incomplete
        : type.SequenceEqual(WireTypes.Failed) ? EventKind.Failed
        : type.SequenceEqual(WireTypes.Error) ? EventKind.Error
        : type.SequenceEqual(WireTypes.Metadata) ? EventKind.Metadata
        : type.EndsWith(WireTypes.DeltaSuffix) ? EventKind.Delta
        : type.SequenceEqual(WireTypes.ItemDone) ? EventKind.Item
        : WireTypes.IsOfControl(type) ? EventKind.Control
        : EventKind.Other;

    /// <summary>The value of the field at hand, if it is a string.</summary>
    public static string? ReadString(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
        {
            return reader.GetString();
        }
        reader.Skip();
        return null;
    }
}

using System.Text.Json;
using ServiceDefaults.Http;

namespace Proxy.Edge.Protocol;

/// <summary>
/// Reads a body or frame once, forward only, for what routing needs:
/// <code>
/// {"type":"response.create","model":"gpt-5.6","stream":true,"store":false,"previous_response_id":"resp_1","conversation":{"id":"conv_1"},
///  "input":[{"type":"message","content":[{"type":"input_file","file_id":"file-1"}]},{"type":"reasoning","encrypted_content":"gAAA"}],
///  "prompt_cache_key":"k","client_metadata":{"session_id":"s","thread_id":"t","x-codex-turn-state":"ts"}}
/// </code>
/// </summary>
internal static class TurnRequestScanner
{
    private const int MaxIdLength = 512;
    private const int MaxFileIds = 50;
    private const int MaxDepth = 256;

    /// <summary>The scanned request, or the error to answer.</summary>
    public static (TurnRequest? Request, ApiError? Error) Scan(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return (null, Errors.NotAnObject);
            }
            var fields = ReadFields(ref reader);
            return fields.Problem is null ? (fields.ToRequest(), null) : (null, fields.Problem);
        }
        catch (JsonException exception)
        {
            return (null, Errors.InvalidJson(exception.LineNumber, exception.BytePositionInLine));
        }
        catch (InvalidOperationException)
        {
            // A string with a lone surrogate escape or broken UTF-8, in a field that must be read.
            return (null, Errors.InvalidJson(null, null));
        }
    }

    private static Fields ReadFields(ref Utf8JsonReader reader)
    {
        var fields = new Fields();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadField(ref reader, fields);
        }
        // Anything behind the object is not ours to guess about.
        while (reader.Read())
        {
        }
        return fields;
    }

    private static void ReadField(ref Utf8JsonReader reader, Fields fields)
    {
        if (reader.ValueTextEquals("type"u8)) { fields.Type = ReadString(ref reader, fields.Type, "type", fields); }
        else if (reader.ValueTextEquals("model"u8)) { fields.Model = ReadString(ref reader, fields.Model, "model", fields); }
        else if (reader.ValueTextEquals("stream"u8)) { fields.Stream = ReadBoolean(ref reader) ?? false; }
        else if (reader.ValueTextEquals("store"u8)) { fields.Store = ReadBoolean(ref reader) ?? true; }
        else if (reader.ValueTextEquals("background"u8)) { fields.Background = ReadBoolean(ref reader) ?? false; }
        else if (reader.ValueTextEquals("stream_id"u8)) { fields.StreamId = ReadString(ref reader, fields.StreamId, "stream_id", fields); }
        else if (reader.ValueTextEquals("previous_response_id"u8)) { fields.PreviousResponseId = ReadString(ref reader, fields.PreviousResponseId, "previous_response_id", fields); }
        else if (reader.ValueTextEquals("prompt_cache_key"u8)) { fields.PromptCacheKey = ReadString(ref reader, fields.PromptCacheKey, "prompt_cache_key", fields); }
        else if (reader.ValueTextEquals("conversation"u8)) { ReadConversation(ref reader, fields); }
        else if (reader.ValueTextEquals("client_metadata"u8)) { ReadMetadata(ref reader, fields); }
        else { ReadNested(ref reader, fields); }
    }

    private static void ReadConversation(ref Utf8JsonReader reader, Fields fields)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            if (reader.TokenType == JsonTokenType.String)
            {
                fields.ConversationId = Keep(reader.GetString()!, fields.ConversationId, "conversation", fields);
            }
            SkipValue(ref reader);
            return;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("id"u8))
            {
                fields.ConversationId = ReadString(ref reader, fields.ConversationId, "conversation.id", fields);
            }
            else
            {
                reader.Read();
                SkipValue(ref reader);
            }
        }
    }

    private static void ReadMetadata(ref Utf8JsonReader reader, Fields fields)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            SkipValue(ref reader);
            return;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("x-codex-turn-state"u8)) { fields.TurnState = ReadString(ref reader, fields.TurnState, "client_metadata.x-codex-turn-state", fields); }
            else if (reader.ValueTextEquals("session_id"u8)) { fields.SessionId = ReadString(ref reader, fields.SessionId, "client_metadata.session_id", fields); }
            else if (reader.ValueTextEquals("thread_id"u8)) { fields.ThreadId = ReadString(ref reader, fields.ThreadId, "client_metadata.thread_id", fields); }
            else
            {
                reader.Read();
                SkipValue(ref reader);
            }
        }
    }

    // Items, tools and whatever else may name files or carry encrypted content, at any depth.
    private static void ReadNested(ref Utf8JsonReader reader, Fields fields)
    {
        reader.Read();
        if (reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
        {
            return;
        }
        var depth = reader.CurrentDepth;
        var fileIdsDepth = -1;
        while (reader.Read() && !(reader.CurrentDepth == depth && reader.TokenType is (JsonTokenType.EndObject or JsonTokenType.EndArray)))
        {
            if (reader.TokenType == JsonTokenType.String && reader.CurrentDepth == fileIdsDepth)
            {
                AddFile(ref reader, fields);
            }
            else if (reader.TokenType == JsonTokenType.EndArray && reader.CurrentDepth < fileIdsDepth)
            {
                fileIdsDepth = -1;
            }
            else if (reader.TokenType != JsonTokenType.PropertyName)
            {
                continue;
            }
            else if (reader.ValueTextEquals("file_id"u8))
            {
                reader.Read();
                AddFile(ref reader, fields);
            }
            else if (reader.ValueTextEquals("file_ids"u8))
            {
                reader.Read();
                fileIdsDepth = reader.TokenType == JsonTokenType.StartArray ? reader.CurrentDepth + 1 : -1;
            }
            else if (reader.ValueTextEquals("encrypted_content"u8))
            {
                reader.Read();
                fields.HasEncryptedContent |= reader.TokenType == JsonTokenType.String;
            }
        }
    }

    private static void AddFile(ref Utf8JsonReader reader, Fields fields)
    {
        if (reader.TokenType == JsonTokenType.String && fields.FileIds.Count < MaxFileIds
            && reader.GetString() is { Length: > 0 and <= MaxIdLength } id && !fields.FileIds.Contains(id))
        {
            fields.FileIds.Add(id);
        }
    }

    private static string? ReadString(ref Utf8JsonReader reader, string? earlier, string field, Fields fields)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
        {
            SkipValue(ref reader);
            return earlier;
        }
        return Keep(reader.GetString()!, earlier, field, fields);
    }

    private static string? Keep(string value, string? earlier, string field, Fields fields)
    {
        // Readers differ on which of two equal names counts. If we took one and upstream the other,
        // a caller could name an id that was never checked.
        if (earlier is not null)
        {
            fields.Problem ??= Errors.RepeatedField(field);
        }
        else if (value.Length > MaxIdLength)
        {
            fields.Problem ??= Errors.FieldTooLong(field, MaxIdLength);
        }
        return value.Length == 0 ? null : value;
    }

    private static bool? ReadBoolean(ref Utf8JsonReader reader)
    {
        reader.Read();
        switch (reader.TokenType)
        {
            case JsonTokenType.True:
                return true;
            case JsonTokenType.False:
                return false;
            default:
                SkipValue(ref reader);
                return null;
        }
    }

    private static void SkipValue(ref Utf8JsonReader reader)
    {
        if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
        {
            reader.Skip();
        }
    }

    private sealed class Fields
    {
        public string? Type, Model, StreamId, PreviousResponseId, ConversationId, PromptCacheKey, TurnState, SessionId, ThreadId;
        public bool Stream, Background, HasEncryptedContent, Store = true;

        public ApiError? Problem { get; set; }

        public List<string> FileIds { get; } = [];

        public TurnRequest ToRequest() => new()
        {
            Type = Type,
            Model = Model,
            Stream = Stream,
            Store = Store,
            Background = Background,
            StreamId = StreamId,
            PreviousResponseId = PreviousResponseId,
            ConversationId = ConversationId,
            FileIds = FileIds,
            PromptCacheKey = PromptCacheKey,
            TurnState = TurnState,
            SessionId = SessionId,
            ThreadId = ThreadId,
            HasEncryptedContent = HasEncryptedContent,
        };
    }
}

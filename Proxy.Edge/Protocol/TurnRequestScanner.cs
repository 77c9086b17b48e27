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
    private const int MaxFileIds = 500;
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
        else if (reader.ValueTextEquals("generate"u8)) { fields.Generate = ReadBoolean(ref reader) ?? true; }
        else if (reader.ValueTextEquals("stream_id"u8)) { fields.StreamId = ReadString(ref reader, fields.StreamId, "stream_id", fields); }
        else if (reader.ValueTextEquals("previous_response_id"u8)) { fields.PreviousResponseId = ReadString(ref reader, fields.PreviousResponseId, "previous_response_id", fields); }
        else if (reader.ValueTextEquals("prompt_cache_key"u8)) { fields.PromptCacheKey = ReadName(ref reader, fields.PromptCacheKey); }
        else if (reader.ValueTextEquals("conversation"u8)) { ReadConversation(ref reader, fields); }
        else if (reader.ValueTextEquals("client_metadata"u8)) { ReadMetadata(ref reader, fields); }
        else { ReadMember(ref reader, fields); }
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
            if (reader.ValueTextEquals("x-codex-turn-state"u8)) { fields.TurnState = ReadName(ref reader, fields.TurnState); }
            else if (reader.ValueTextEquals("session_id"u8)) { fields.SessionId = ReadName(ref reader, fields.SessionId); }
            else if (reader.ValueTextEquals("thread_id"u8)) { fields.ThreadId = ReadName(ref reader, fields.ThreadId); }
            else
            {
                reader.Read();
                SkipValue(ref reader);
            }
        }
    }

    // Items, tools and whatever else may name files or carry encrypted content, at any depth.
    private static void ReadMember(ref Utf8JsonReader reader, Fields fields)
    {
        var isFile = reader.ValueTextEquals("file_id"u8);
        var isFileList = reader.ValueTextEquals("file_ids"u8);
        var isEncrypted = reader.ValueTextEquals("encrypted_content"u8);
        var isType = reader.ValueTextEquals("type"u8);
        reader.Read();
        if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
        {
            ReadNested(ref reader, fields, isFileList && reader.TokenType == JsonTokenType.StartArray);
        }
        else if (reader.TokenType == JsonTokenType.String)
        {
            fields.HasEncryptedContent |= isEncrypted;
            fields.HasCompaction |= isType && reader.ValueTextEquals("compaction"u8);
            if (isFile)
            {
                AddFile(ref reader, fields);
            }
        }
    }

    private static void ReadNested(ref Utf8JsonReader reader, Fields fields, bool isFileList)
    {
        while (reader.Read() && reader.TokenType is not (JsonTokenType.EndObject or JsonTokenType.EndArray))
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    ReadMember(ref reader, fields);
                    break;
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    ReadNested(ref reader, fields, isFileList: false);
                    break;
                case JsonTokenType.String when isFileList:
                    AddFile(ref reader, fields);
                    break;
            }
        }
    }

    // A file that is not checked must not be sent on: it might be another key's.
    private static void AddFile(ref Utf8JsonReader reader, Fields fields)
    {
        var id = reader.GetString()!;
        if (id.Length > MaxIdLength)
        {
            fields.Problem ??= Errors.FieldTooLong("file_id", MaxIdLength);
        }
        else if (id.Length > 0 && !fields.FileIds.Contains(id))
        {
            if (fields.FileIds.Count == MaxFileIds)
            {
                fields.Problem ??= Errors.TooManyFiles(MaxFileIds);
                return;
            }
            fields.FileIds.Add(id);
        }
    }

    // Names a conversation and demands nothing: the first one counts, and one that is too long is none.
    private static string? ReadName(ref Utf8JsonReader reader, string? earlier)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
        {
            SkipValue(ref reader);
            return earlier;
        }
        return earlier ?? (reader.GetString() is { Length: > 0 and <= MaxIdLength } name ? name : null);
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
        public bool Stream, Background, HasEncryptedContent, HasCompaction, Store = true, Generate = true;

        public ApiError? Problem { get; set; }

        public List<string> FileIds { get; } = [];

        public TurnRequest ToRequest() => new()
        {
            Type = Type,
            Model = Model,
            Stream = Stream,
            Store = Store,
            Background = Background,
            Generate = Generate,
            StreamId = StreamId,
            PreviousResponseId = PreviousResponseId,
            ConversationId = ConversationId,
            FileIds = FileIds,
            PromptCacheKey = PromptCacheKey,
            TurnState = TurnState,
            SessionId = SessionId,
            ThreadId = ThreadId,
            HasEncryptedContent = HasEncryptedContent,
            HasCompaction = HasCompaction,
        };
    }
}

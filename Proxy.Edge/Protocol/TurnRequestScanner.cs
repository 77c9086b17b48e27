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

    // The same id again and again costs nothing to say and a copy to read.
    private const int MaxFileOccurrences = 10_000;
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
        // The first problem is the answer; what comes behind it costs nothing any more.
        while (fields.Problem is null && reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadField(ref reader, fields);
        }
        // Anything behind the object is not ours to guess about.
        while (fields.Problem is null && reader.Read())
        {
        }
        return fields;
    }

    private static void ReadField(ref Utf8JsonReader reader, Fields fields)
    {
        if (reader.ValueTextEquals("type"u8)) { fields.Once(Member.Type, "type"); fields.Type = ReadString(ref reader, "type", fields); }
        else if (reader.ValueTextEquals("model"u8)) { fields.Once(Member.Model, "model"); fields.Model = ReadString(ref reader, "model", fields); }
        else if (reader.ValueTextEquals("stream"u8)) { fields.Once(Member.Stream, "stream"); fields.Stream = ReadBoolean(ref reader) ?? false; }
        else if (reader.ValueTextEquals("store"u8)) { fields.Once(Member.Store, "store"); fields.Store = ReadBoolean(ref reader) ?? true; }
        else if (reader.ValueTextEquals("background"u8)) { fields.Once(Member.Background, "background"); fields.Background = ReadBoolean(ref reader) ?? false; }
        else if (reader.ValueTextEquals("generate"u8)) { fields.Once(Member.Generate, "generate"); fields.Generate = ReadBoolean(ref reader) ?? true; }
        else if (reader.ValueTextEquals("stream_id"u8)) { fields.Once(Member.StreamId, "stream_id"); fields.StreamId = ReadString(ref reader, "stream_id", fields); }
        else if (reader.ValueTextEquals("previous_response_id"u8)) { fields.Once(Member.Anchor, "previous_response_id"); fields.PreviousResponseId = ReadString(ref reader, "previous_response_id", fields); }
        else if (reader.ValueTextEquals("response_id"u8)) { fields.Once(Member.ResponseId, "response_id"); fields.ResponseId = ReadString(ref reader, "response_id", fields); }
        else if (reader.ValueTextEquals("prompt_cache_key"u8)) { fields.Once(Member.CacheKey, "prompt_cache_key"); fields.PromptCacheKey = ReadName(ref reader); }
        else if (reader.ValueTextEquals("conversation"u8)) { fields.Once(Member.Conversation, "conversation"); ReadConversation(ref reader, fields); }
        else if (reader.ValueTextEquals("client_metadata"u8)) { fields.Once(Member.Metadata, "client_metadata"); ReadMetadata(ref reader, fields); }
        else { ReadMember(ref reader, fields); }
    }

    private static void ReadConversation(ref Utf8JsonReader reader, Fields fields)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            if (reader.TokenType == JsonTokenType.String)
            {
                fields.ConversationId = Keep(reader.GetString()!, "conversation", fields);
            }
            SkipValue(ref reader);
            return;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("id"u8))
            {
                fields.Once(Member.ConversationId, "conversation.id");
                fields.ConversationId = ReadString(ref reader, "conversation.id", fields);
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
            if (reader.ValueTextEquals("x-codex-turn-state"u8)) { fields.Once(Member.TurnState, "client_metadata.x-codex-turn-state"); fields.TurnState = ReadName(ref reader); }
            else if (reader.ValueTextEquals("session_id"u8)) { fields.Once(Member.SessionId, "client_metadata.session_id"); fields.SessionId = ReadName(ref reader); }
            else if (reader.ValueTextEquals("thread_id"u8)) { fields.Once(Member.ThreadId, "client_metadata.thread_id"); fields.ThreadId = ReadName(ref reader); }
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
        while (fields.Problem is null && reader.Read() && reader.TokenType is not (JsonTokenType.EndObject or JsonTokenType.EndArray))
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
        else if (id.Length > 0)
        {
            fields.AddFile(id);
        }
    }

    // Names a conversation and demands nothing: one that is too long is none.
    private static string? ReadName(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
        {
            SkipValue(ref reader);
            return null;
        }
        return reader.GetString() is { Length: > 0 and <= MaxIdLength } name ? name : null;
    }

    private static string? ReadString(ref Utf8JsonReader reader, string field, Fields fields)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
        {
            SkipValue(ref reader);
            return null;
        }
        return Keep(reader.GetString()!, field, fields);
    }

    private static string? Keep(string value, string field, Fields fields)
    {
        if (value.Length > MaxIdLength)
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

    [Flags]
    private enum Member
    {
        Type = 1,
        Model = 1 << 1,
        Stream = 1 << 2,
        Store = 1 << 3,
        Background = 1 << 4,
        Generate = 1 << 5,
        StreamId = 1 << 6,
        Anchor = 1 << 7,
        CacheKey = 1 << 8,
        Conversation = 1 << 9,
        ConversationId = 1 << 10,
        Metadata = 1 << 11,
        TurnState = 1 << 12,
        SessionId = 1 << 13,
        ThreadId = 1 << 14,
        ResponseId = 1 << 15,
    }

    private sealed class Fields
    {
        public string? Type, Model, StreamId, PreviousResponseId, ResponseId, ConversationId, PromptCacheKey, TurnState, SessionId, ThreadId;
        public bool Stream, Background, HasEncryptedContent, HasCompaction, Store = true, Generate = true;

        private readonly HashSet<string> _knownFiles = new(StringComparer.Ordinal);
        private Member _seen;
        private int _fileOccurrences;

        public ApiError? Problem { get; set; }

        public List<string> FileIds { get; } = [];

        public void AddFile(string id)
        {
            if (_knownFiles.Add(id))
            {
                FileIds.Add(id);
            }
            if (FileIds.Count > MaxFileIds || ++_fileOccurrences > MaxFileOccurrences)
            {
                Problem ??= Errors.TooManyFiles(MaxFileIds);
            }
        }

        /// <summary>
        /// Readers differ on which of two equal names counts. If we took one and upstream the other, a caller could name an id that was never checked.
        /// </summary>
        public void Once(Member member, string field)
        {
            if ((_seen & member) != 0)
            {
                Problem ??= Errors.RepeatedField(field);
            }
            _seen |= member;
        }

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
            ResponseId = ResponseId,
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

using System.Text;
using System.Text.Json;
using Proxy.Continuity.Contracts;
using ServiceDefaults.Http;

namespace Proxy.Edge.Protocol;

/// <summary>
/// Reads a body or frame once, forward only, for what routing needs:
/// <code>
/// {"type":"response.create","model":"gpt-5.6","stream":true,"store":false,"previous_response_id":"resp_1","conversation":{"id":"conv_1"},
///  "input":[{"type":"message","content":[{"type":"input_file","file_id":"file-1"}]},{"type":"reasoning","encrypted_content":"gAAA"},{"type":"item_reference","id":"msg_1"}],
///  "tools":[{"type":"file_search","vector_store_ids":["vs_1"]},{"type":"code_interpreter","container":"cntr_1"}],"prompt":{"id":"pmpt_1"},
///  "prompt_cache_key":"k","client_metadata":{"session_id":"s","thread_id":"t","x-codex-turn-state":"ts"}}
/// </code>
/// </summary>
internal static class TurnRequestScanner
{
    private const int MaxIdLength = 512;
    private const int MaxNamedIds = 2_000;

    // The same id again and again costs nothing to say and a copy to read.
    private const int MaxOccurrences = 10_000;
    private const int MaxEncrypted = 8;
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
        else if (reader.ValueTextEquals("prompt"u8)) { fields.Once(Member.Prompt, "prompt"); ReadPrompt(ref reader, fields); }
        else
        {
            fields.IsInInput = reader.ValueTextEquals("input"u8);
            var request = new NamedObject();
            ReadMember(ref reader, fields, ref request);
        }
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

    private static void ReadPrompt(ref Utf8JsonReader reader, Fields fields)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            // Its variables may be files.
            var prompt = new NamedObject { Kind = OwnedKinds.Prompt, IsReference = true };
            ReadObject(ref reader, fields, ref prompt);
        }
        else if (reader.TokenType == JsonTokenType.StartArray)
        {
            ReadArray(ref reader, fields, kind: null);
        }
    }

    // Items, tools and whatever else may name what one account only knows, or carry encrypted content, at any depth.
    private static void ReadMember(ref Utf8JsonReader reader, Fields fields, ref NamedObject holder)
    {
        var (one, many) = (NamedKinds.OfOne(ref reader), NamedKinds.OfMany(ref reader));
        var isId = reader.ValueTextEquals("id"u8);
        var isType = reader.ValueTextEquals("type"u8);
        var isEncrypted = reader.ValueTextEquals("encrypted_content"u8);
        // A function's schema and the client's own notes may use the same names for something else.
        var isForeign = reader.ValueTextEquals("parameters"u8) || reader.ValueTextEquals("metadata"u8);
        holder.Members++;
        reader.Read();
        if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray && isForeign)
        {
            reader.Skip();
        }
        else if (reader.TokenType == JsonTokenType.StartObject)
        {
            var nested = new NamedObject();
            ReadObject(ref reader, fields, ref nested);
        }
        else if (reader.TokenType == JsonTokenType.StartArray)
        {
            ReadArray(ref reader, fields, many);
        }
        else if (reader.TokenType == JsonTokenType.String)
        {
            if (isEncrypted)
            {
                fields.AddEncrypted(Fingerprint.Of(ref reader));
            }
            else if (isType)
            {
                fields.HasCompaction |= reader.ValueTextEquals("compaction"u8);
                holder.IsReference |= reader.ValueTextEquals("item_reference"u8);
            }
            else if (isId)
            {
                holder.Id = reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : reader.ValueSpan;
            }
            else if (one is not null)
            {
                fields.AddNamed(one, reader.GetString()!);
            }
        }
    }

    private static void ReadObject(ref Utf8JsonReader reader, Fields fields, scoped ref NamedObject holder)
    {
        while (fields.Problem is null && reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadMember(ref reader, fields, ref holder);
        }
        // {"type":"item_reference","id":"msg_1"}; the type may be left out, and then there is nothing else.
        if (holder.Id.Length > 0 && (holder.IsReference || (holder.IsOfInput && holder.Members == 1)))
        {
            fields.AddNamed(holder.Kind, Encoding.UTF8.GetString(holder.Id));
        }
    }

    private static void ReadArray(ref Utf8JsonReader reader, Fields fields, string? kind)
    {
        // The items of "input" stand in an array within the request.
        var isInput = fields.IsInInput && reader.CurrentDepth == 1;
        while (fields.Problem is null && reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    var item = new NamedObject { IsOfInput = isInput };
                    ReadObject(ref reader, fields, ref item);
                    break;
                case JsonTokenType.StartArray:
                    ReadArray(ref reader, fields, kind: null);
                    break;
                case JsonTokenType.String when kind is not null:
                    fields.AddNamed(kind, reader.GetString()!);
                    break;
            }
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
        Prompt = 1 << 16,
    }

    /// <summary>What is known so far of an object that may name something by its <c>id</c>.</summary>
    private ref struct NamedObject()
    {
        public ReadOnlySpan<byte> Id;
        public string Kind = OwnedKinds.Item;
        public bool IsReference, IsOfInput;
        public int Members;
    }

    /// <summary>Members that name what one account only knows, wherever they stand.</summary>
    private static class NamedKinds
    {
        /// <summary>The kind of what the name at hand names by one id; null if it is no such member.</summary>
        public static string? OfOne(ref Utf8JsonReader reader) =>
            reader.ValueTextEquals("file_id"u8) || reader.ValueTextEquals("input_file_id"u8) ? OwnedKinds.File
            : reader.ValueTextEquals("vector_store_id"u8) ? OwnedKinds.VectorStore
            : reader.ValueTextEquals("container"u8) || reader.ValueTextEquals("container_id"u8) ? OwnedKinds.Container
            : reader.ValueTextEquals("skill_id"u8) ? OwnedKinds.Skill
            : null;

        /// <summary>The kind of what it names by an array of ids.</summary>
        public static string? OfMany(ref Utf8JsonReader reader) =>
            reader.ValueTextEquals("file_ids"u8) ? OwnedKinds.File
            : reader.ValueTextEquals("vector_store_ids"u8) ? OwnedKinds.VectorStore
            : null;
    }

    private sealed class Fields
    {
        public string? Type, Model, StreamId, PreviousResponseId, ResponseId, ConversationId, PromptCacheKey, TurnState, SessionId, ThreadId;
        public bool Stream, Background, HasCompaction, IsInInput, Store = true, Generate = true;

        private readonly Queue<string> _encrypted = new();
        private HashSet<OwnedId>? _known;
        private Member _seen;
        private int _occurrences;

        public ApiError? Problem { get; set; }

        public List<OwnedId> NamedIds { get; } = [];

        // What is not checked must not be sent on: it might be another key's.
        public void AddNamed(string kind, string id)
        {
            if (id.Length > MaxIdLength)
            {
                Problem ??= Errors.FieldTooLong(kind == OwnedKinds.Item ? "input" : kind == OwnedKinds.Prompt ? "prompt.id" : $"{kind}_id", MaxIdLength);
            }
            if (id.Length == 0 || Problem is not null)
            {
                return;
            }
            var named = new OwnedId(kind, id);
            if ((_known ??= []).Add(named))
            {
                NamedIds.Add(named);
            }
            if (NamedIds.Count > MaxNamedIds || ++_occurrences > MaxOccurrences)
            {
                Problem ??= Errors.TooManyIds(MaxNamedIds);
            }
        }

        // A history grows at its end, and where its latest is at home the turn is.
        public void AddEncrypted(string fingerprint)
        {
            _encrypted.Enqueue(fingerprint);
            if (_encrypted.Count > MaxEncrypted)
            {
                _encrypted.Dequeue();
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
            NamedIds = NamedIds,
            Encrypted = [.. _encrypted.Reverse().Distinct().Select(fingerprint => new OwnedId(OwnedKinds.Encrypted, fingerprint))],
            PromptCacheKey = PromptCacheKey,
            TurnState = TurnState,
            SessionId = SessionId,
            ThreadId = ThreadId,
            HasCompaction = HasCompaction,
        };
    }
}

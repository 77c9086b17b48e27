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
    private const int MaxDepth = 256;

    /// <summary>The scanned request, or the error to answer.</summary>
    /// <param name="json">The body or frame.</param>
    /// <param name="comparer">Tells the ids in it apart; null for the usual way. One that counts tells what a body costs.</param>
    public static (TurnRequest? Request, ApiError? Error) Scan(ReadOnlySpan<byte> json, IEqualityComparer<OwnedId>? comparer = null)
    {
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return (null, Errors.NotAnObject);
            }
            var fields = new TurnRequestFields(comparer);
            ReadFields(ref reader, fields);
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

    private static void ReadFields(ref Utf8JsonReader reader, TurnRequestFields fields)
    {
        // The first problem is the answer; what comes behind it costs nothing any more.
        while (fields.Problem is null && reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadField(ref reader, fields);
        }
        // Anything behind the object is not ours to guess about.
        while (fields.Problem is null && reader.Read())
        {
        }
    }

    private static void ReadField(ref Utf8JsonReader reader, TurnRequestFields fields)
    {
        if (reader.ValueTextEquals("type"u8)) { fields.Once(RequestMember.Type, "type"); fields.Type = ReadString(ref reader, "type", fields); }
        else if (reader.ValueTextEquals("model"u8)) { fields.Once(RequestMember.Model, "model"); fields.Model = ReadString(ref reader, "model", fields); }
        else if (reader.ValueTextEquals("stream"u8)) { fields.Once(RequestMember.Stream, "stream"); fields.Stream = ReadBoolean(ref reader) ?? false; }
        else if (reader.ValueTextEquals("store"u8)) { fields.Once(RequestMember.Store, "store"); fields.Store = ReadBoolean(ref reader) ?? true; }
        else if (reader.ValueTextEquals("background"u8)) { fields.Once(RequestMember.Background, "background"); fields.Background = ReadBoolean(ref reader) ?? false; }
        else if (reader.ValueTextEquals("generate"u8)) { fields.Once(RequestMember.Generate, "generate"); fields.Generate = ReadBoolean(ref reader) ?? true; }
        else if (reader.ValueTextEquals("stream_id"u8)) { fields.Once(RequestMember.StreamId, "stream_id"); fields.StreamId = ReadString(ref reader, "stream_id", fields); }
        else if (reader.ValueTextEquals("previous_response_id"u8)) { fields.Once(RequestMember.Anchor, "previous_response_id"); fields.PreviousResponseId = ReadString(ref reader, "previous_response_id", fields); }
        else if (reader.ValueTextEquals("response_id"u8)) { fields.Once(RequestMember.ResponseId, "response_id"); fields.ResponseId = ReadString(ref reader, "response_id", fields); }
        else if (reader.ValueTextEquals("prompt_cache_key"u8)) { fields.Once(RequestMember.CacheKey, "prompt_cache_key"); fields.PromptCacheKey = ReadName(ref reader); }
        else if (reader.ValueTextEquals("conversation"u8)) { fields.Once(RequestMember.Conversation, "conversation"); ReadConversation(ref reader, fields); }
        else if (reader.ValueTextEquals("client_metadata"u8)) { fields.Once(RequestMember.Metadata, "client_metadata"); ReadMetadata(ref reader, fields); }
        else if (reader.ValueTextEquals("prompt"u8)) { fields.Once(RequestMember.Prompt, "prompt"); ReadPrompt(ref reader, fields); }
        else
        {
            fields.IsInInput = reader.ValueTextEquals("input"u8);
            var request = new NamedObject();
            NamedIdScanner.ReadMember(ref reader, fields, ref request);
        }
    }

    private static void ReadConversation(ref Utf8JsonReader reader, TurnRequestFields fields)
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
                fields.Once(RequestMember.ConversationId, "conversation.id");
                fields.ConversationId = ReadString(ref reader, "conversation.id", fields);
            }
            else
            {
                reader.Read();
                SkipValue(ref reader);
            }
        }
    }

    private static void ReadMetadata(ref Utf8JsonReader reader, TurnRequestFields fields)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            SkipValue(ref reader);
            return;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("x-codex-turn-state"u8)) { fields.Once(RequestMember.TurnState, "client_metadata.x-codex-turn-state"); fields.TurnState = ReadName(ref reader); }
            else if (reader.ValueTextEquals("session_id"u8)) { fields.Once(RequestMember.SessionId, "client_metadata.session_id"); fields.SessionId = ReadName(ref reader); }
            else if (reader.ValueTextEquals("thread_id"u8)) { fields.Once(RequestMember.ThreadId, "client_metadata.thread_id"); fields.ThreadId = ReadName(ref reader); }
            else
            {
                reader.Read();
                SkipValue(ref reader);
            }
        }
    }

    private static void ReadPrompt(ref Utf8JsonReader reader, TurnRequestFields fields)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            // Its variables may be files.
            var prompt = new NamedObject { Kind = OwnedKinds.Prompt, IsReference = true };
            NamedIdScanner.ReadObject(ref reader, fields, ref prompt);
        }
        else if (reader.TokenType == JsonTokenType.StartArray)
        {
            NamedIdScanner.ReadArray(ref reader, fields, kind: null);
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
        return reader.GetString() is { Length: > 0 and <= OwnedId.MaxLength } name ? name : null;
    }

    private static string? ReadString(ref Utf8JsonReader reader, string field, TurnRequestFields fields)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
        {
            SkipValue(ref reader);
            return null;
        }
        return Keep(reader.GetString()!, field, fields);
    }

    private static string? Keep(string value, string field, TurnRequestFields fields)
    {
        if (value.Length > OwnedId.MaxLength)
        {
            fields.Problem ??= Errors.FieldTooLong(field, OwnedId.MaxLength);
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
}

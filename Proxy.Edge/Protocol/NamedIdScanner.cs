using System.Text;
using System.Text.Json;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Protocol;

/// <summary>
/// Reads what a request names or carries, at any depth, that one account only knows: files, items, vector stores and the like, and what is encrypted.
/// <code>
/// {"type":"item_reference","id":"msg_1"}   {"type":"file_search","vector_store_ids":["vs_1"]}   {"type":"code_interpreter","container":"cntr_1"}
/// {"type":"input_file","file_id":"file-1"}   {"type":"reasoning","encrypted_content":"gAAA"}   {"type":"skill_reference","skill_id":"skill_1"}
/// </code>
/// </summary>
internal static class NamedIdScanner
{
    /// <summary>Reads the member whose name is at hand.</summary>
    /// <param name="holder">The object it stands in.</param>
    public static void ReadMember(ref Utf8JsonReader reader, TurnRequestFields fields, ref NamedObject holder)
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
                // Two would be one to us and another to upstream.
                fields.Problem ??= holder.Id.Length > 0 ? Errors.RepeatedField("id") : null;
                holder.Id = reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : reader.ValueSpan;
            }
            else if (one is not null)
            {
                fields.AddNamed(one, reader.GetString()!);
            }
        }
    }

    public static void ReadObject(ref Utf8JsonReader reader, TurnRequestFields fields, scoped ref NamedObject holder)
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

    public static void ReadArray(ref Utf8JsonReader reader, TurnRequestFields fields, string? kind)
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
}

/// <summary>What is known so far of an object that may name something by its <c>id</c>.</summary>
internal ref struct NamedObject()
{
    public ReadOnlySpan<byte> Id;
    public string Kind = OwnedKinds.Item;
    public bool IsReference, IsOfInput;
    public int Members;
}

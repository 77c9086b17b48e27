using System.Buffers;
using System.Text.Json;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Protocol;

/// <summary>
/// Reads what output items bring that only their account knows: their ids, the containers they ran in, and what is encrypted in them.
/// <code>
/// {"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1","encrypted_content":"gAAA..."}}
/// {"output":[{"type":"code_interpreter_call","id":"ci_1","container_id":"cntr_1"},{"type":"message","id":"msg_1","content":[...]}]}
/// </code>
/// </summary>
internal static class OutputIds
{
    private const int MaxLength = 128;

    // As upstream makes them. Whatever else it sends is not worth remembering: nobody can be sure to have come back with it.
    private static readonly SearchValues<char> Characters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-");

    /// <summary>The ids in an event about an item.</summary>
    public static IReadOnlyList<OwnedId> OfEvent(ReadOnlySpan<byte> json)
    {
        List<OwnedId>? ids = null;
        try
        {
            var reader = new Utf8JsonReader(json, EventScanner.Options);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isItem = reader.ValueTextEquals("item"u8);
                reader.Read();
                if (isItem && reader.TokenType == JsonTokenType.StartObject)
                {
                    ReadItem(ref reader, ref ids);
                }
                else
                {
                    reader.Skip();
                }
            }
        }
        catch (Exception exception) when (EventScanner.IsMalformed(exception))
        {
            // What was read so far stands.
        }
        return ids ?? [];
    }

    /// <summary>The ids in an <c>output</c>, whose name is at hand.</summary>
    public static void ReadOutput(ref Utf8JsonReader reader, ref List<OwnedId>? ids)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return;
        }
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                ReadItem(ref reader, ref ids);
            }
            else
            {
                reader.Skip();
            }
        }
    }

    // Containers are also named in annotations, deep within.
    private static void ReadItem(ref Utf8JsonReader reader, ref List<OwnedId>? ids)
    {
        var depth = reader.CurrentDepth;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (reader.TokenType != JsonTokenType.PropertyName)
            {
                continue;
            }
            var kind = reader.ValueTextEquals("id"u8) && reader.CurrentDepth == depth + 1 ? OwnedKinds.Item
                : reader.ValueTextEquals("container_id"u8) ? OwnedKinds.Container
                : reader.ValueTextEquals("encrypted_content"u8) ? OwnedKinds.Encrypted
                : null;
            if (kind is null)
            {
                continue;
            }
            reader.Read();
            if (reader.TokenType == JsonTokenType.String)
            {
                Add(ref reader, kind, ref ids);
            }
        }
    }

    private static void Add(ref Utf8JsonReader reader, string kind, ref List<OwnedId>? ids)
    {
        if (kind == OwnedKinds.Encrypted)
        {
            Add(new OwnedId(kind, Fingerprint.Of(ref reader)), ref ids);
        }
        else if (reader.ValueSpan.Length is > 0 and <= MaxLength && reader.GetString() is { } id && !id.AsSpan().ContainsAnyExcept(Characters))
        {
            Add(new OwnedId(kind, id), ref ids);
        }
    }

    private static void Add(OwnedId id, ref List<OwnedId>? ids)
    {
        ids ??= [];
        if (ids.Count < ContinuityRoutes.MaxPublishedWith && !ids.Contains(id))
        {
            ids.Add(id);
        }
    }
}

using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Proxy.Edge.Protocol;

/// <summary>
/// The few things that may be taken out of a body on its way upstream, or be put into an event on its way down. Whatever stays, stays as the bytes it was.
/// </summary>
internal static class JsonSplices
{
    /// <summary>How much longer a frame is than its body.</summary>
    public const int FrameBytes = 32;

    /// <summary>
    /// The object without one field, named by the path to it; unchanged where there is none:
    /// <code>{"model":"m","client_metadata":{"x-codex-turn-state":"ts_1","k":1}}  ->  {"model":"m","client_metadata":{"k":1}}</code>
    /// </summary>
    public static byte[] DropField(ReadOnlySpan<byte> json, params ReadOnlySpan<string> path)
    {
        var reader = new Utf8JsonReader(json, EventScanner.Options);
        reader.Read();
        var level = 0;
        var previousEnd = (int)reader.BytesConsumed;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isOnPath = reader.ValueTextEquals(path[level]);
            var start = (int)reader.TokenStartIndex;
            reader.Read();
            if (isOnPath && level < path.Length - 1 && reader.TokenType == JsonTokenType.StartObject)
            {
                level++;
                previousEnd = (int)reader.BytesConsumed;
                continue;
            }
            reader.Skip();
            var end = (int)reader.BytesConsumed;
            if (isOnPath && level == path.Length - 1)
            {
                return Cut(json, previousEnd, start, end);
            }
            previousEnd = end;
        }
        return json.ToArray();
    }

    /// <summary>
    /// The value of a field of the object, as it is written; null where there is none.
    /// <code>{"type":"response.completed","response":{"id":"resp_1"}}, response  ->  {"id":"resp_1"}</code>
    /// </summary>
    public static ReadOnlyMemory<byte>? Find(ReadOnlyMemory<byte> json, string field)
    {
        try
        {
            var reader = new Utf8JsonReader(json.Span, EventScanner.Options);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isIt = reader.ValueTextEquals(field);
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                if (isIt)
                {
                    return json[start..(int)reader.BytesConsumed];
                }
            }
        }
        catch (Exception exception) when (EventScanner.IsMalformed(exception))
        {
            // What cannot be read is not there.
        }
        return null;
    }

    /// <summary>
    /// Writes a request's body as the frame that asks for the same, at most <see cref="FrameBytes"/> longer:
    /// <code>{"model":"m"}  ->  {"type":"response.create","model":"m"}</code>
    /// </summary>
    public static void WriteAsFrame(ReadOnlySpan<byte> body, IBufferWriter<byte> frame)
    {
        var rest = body[(body.IndexOf((byte)'{') + 1)..];
        var isEmpty = rest.TrimStart(" \t\r\n"u8).StartsWith("}"u8);
        frame.Write("{\"type\":\"response.create\""u8);
        frame.Write(isEmpty ? ""u8 : ","u8);
        frame.Write(rest);
    }

    /// <summary>
    /// The request without reasoning that only the organisation which wrote it can read. A compaction is as unreadable elsewhere, but it is the
    /// history itself: it stays, and upstream says what it thinks of it.
    /// <code>{"input":[{"type":"message"},{"type":"reasoning","encrypted_content":"gAAA"}]}  ->  {"input":[{"type":"message"}]}</code>
    /// </summary>
    public static byte[] DropEncryptedReasoning(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, EventScanner.Options);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isInput = reader.ValueTextEquals("input"u8);
            reader.Read();
            if (!isInput || reader.TokenType != JsonTokenType.StartArray)
            {
                reader.Skip();
                continue;
            }
            var kept = new List<byte>(json.Length);
            kept.AddRange(json[..(int)reader.BytesConsumed]);
            var isFirst = true;
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                var start = (int)reader.TokenStartIndex;
                if (IsEncryptedReasoning(ref reader))
                {
                    continue;
                }
                if (!isFirst)
                {
                    kept.Add((byte)',');
                }
                isFirst = false;
                kept.AddRange(json[start..(int)reader.BytesConsumed]);
            }
            kept.AddRange(json[(int)reader.TokenStartIndex..]);
            return [.. kept];
        }
        return json.ToArray();
    }

    // Leaves the reader on the item's last token.
    private static bool IsEncryptedReasoning(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return false;
        }
        bool isReasoning = false, isEncrypted = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var (isType, isContent) = (reader.ValueTextEquals("type"u8), reader.ValueTextEquals("encrypted_content"u8));
            reader.Read();
            isReasoning |= isType && reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("reasoning"u8);
            isEncrypted |= isContent && reader.TokenType == JsonTokenType.String;
            reader.Skip();
        }
        return isReasoning && isEncrypted;
    }

    /// <summary>
    /// The object with a member in front, or text that is no object as it is:
    /// <code>{"type":"error"}, "status":500  ->  {"status":500,"type":"error"}</code>
    /// </summary>
    public static byte[] Insert(ReadOnlySpan<byte> json, ReadOnlySpan<byte> member)
    {
        var brace = json.IndexOfAnyExcept(" \t\r\n"u8);
        if (brace < 0 || json[brace] != '{')
        {
            return json.ToArray();
        }
        var rest = json[(brace + 1)..];
        var isEmpty = rest.TrimStart(" \t\r\n"u8).StartsWith("}"u8);
        return [.. json[..(brace + 1)], .. member, .. isEmpty ? ""u8 : ","u8, .. rest];
    }

    /// <summary>
    /// The object with a number for the value of a field, which is put in front where there is none; unchanged where it is a number already:
    /// <code>{"type":"error","status":"429"}, status, 429  ->  {"type":"error","status":429}</code>
    /// </summary>
    public static ReadOnlyMemory<byte> WithNumber(ReadOnlyMemory<byte> json, string field, int number)
    {
        var digits = Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));
        if (Find(json, field) is not { } value)
        {
            return Insert(json.Span, [.. "\""u8, .. Encoding.ASCII.GetBytes(field), .. "\":"u8, .. digits]);
        }
        if (Utf8Parser.TryParse(value.Span, out int _, out var read) && read == value.Length)
        {
            return json;
        }
        json.Span.Overlaps(value.Span, out var start);
        return (byte[])[.. json.Span[..start], .. digits, .. json.Span[(start + value.Length)..]];
    }

    // With the field goes one comma: the one in front of it, or, where it is the first, the one behind it.
    private static byte[] Cut(ReadOnlySpan<byte> frame, int previousEnd, int start, int end)
    {
        var hasCommaBefore = frame[previousEnd..start].Contains((byte)',');
        if (hasCommaBefore)
        {
            return [.. frame[..previousEnd], .. frame[end..]];
        }
        var behind = frame[end..];
        var comma = behind.TrimStart(" \t\r\n"u8).StartsWith(","u8) ? behind.IndexOf((byte)',') + 1 : 0;
        return [.. frame[..start], .. behind[comma..]];
    }
}

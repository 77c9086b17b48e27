using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Spool;

/// <summary>
/// One line of a spool file. A turn has two: what its row is should the edge die now, and its real end.
/// <code>
/// {"began":{"id":"0199...","requestedAt":"...","status":"cut",...}}
/// {"ended":{"id":"0199...","requestedAt":"...","status":"success",...}}
/// </code>
/// </summary>
internal sealed record SpoolRecord(RequestLogRow? Began, RequestLogRow? Ended)
{
    /// <summary>Tells it from the turn's other one.</summary>
    [JsonIgnore]
    public SpoolRecordKey Key => Ended is null ? new(Began!.Id, HasEnded: false) : new(Ended.Id, HasEnded: true);

    /// <summary>The record as a line.</summary>
    public byte[] ToLine()
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            JsonSerializer.Serialize(writer, this, SpoolJson.Default.SpoolRecord);
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The record of a line, or null for one that was not written to its end.</summary>
    public static SpoolRecord? Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, SpoolJson.Default.SpoolRecord);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>A turn, and which of its two records.</summary>
internal readonly record struct SpoolRecordKey(Guid TurnId, bool HasEnded);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SpoolRecord))]
internal sealed partial class SpoolJson : JsonSerializerContext;

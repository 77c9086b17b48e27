using System.Text.Json;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Protocol;

/// <summary>
/// Files that upstream has made for what it was asked to do, and names in an answer:
/// <code>
/// {"id":"upload_1","object":"upload","status":"completed","file":{"id":"file-1","object":"file"}}
/// {"id":"batch_1","object":"batch","status":"completed","output_file_id":"file-2","error_file_id":null}
/// </code>
/// </summary>
internal static class RevealedFiles
{
    /// <summary>The files in an answer; none in what is not such an answer.</summary>
    public static IReadOnlyList<OwnedId> Read(ReadOnlySpan<byte> json)
    {
        var files = new List<OwnedId>();
        try
        {
            var reader = new Utf8JsonReader(json, EventScanner.Options);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("output_file_id"u8) || reader.ValueTextEquals("error_file_id"u8))
                {
                    Add(EventScanner.ReadString(ref reader));
                }
                else if (reader.ValueTextEquals("file"u8))
                {
                    reader.Read();
                    var isObject = reader.TokenType == JsonTokenType.StartObject;
                    while (isObject && reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                    {
                        var isId = reader.ValueTextEquals("id"u8);
                        var value = EventScanner.ReadString(ref reader);
                        Add(isId ? value : null);
                    }
                    reader.Skip();
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
        return files;

        void Add(string? id)
        {
            if (!string.IsNullOrEmpty(id))
            {
                files.Add(new OwnedId(OwnedKinds.File, id));
            }
        }
    }
}

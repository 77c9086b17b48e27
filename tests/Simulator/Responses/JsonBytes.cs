using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Simulator.Responses;

/// <summary>JSON written straight to bytes; most of what a benchmark makes the simulator do.</summary>
internal static class JsonBytes
{
    // The API does not escape quotes or non-ASCII text as \uXXXX.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };
    private static readonly JsonWriterOptions IndentedOptions = Options with { Indented = true };

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    public static byte[] Write<TState>(TState state, Action<Utf8JsonWriter, TState> write)
    {
        // Taken while in use, so that a nested Write gets its own.
        var buffer = _buffer ?? new ArrayBufferWriter<byte>(4096);
        var writer = _writer ?? new Utf8JsonWriter(buffer, Options);
        (_buffer, _writer) = (null, null);
        buffer.ResetWrittenCount();
        writer.Reset(buffer);
        write(writer, state);
        writer.Flush();
        var bytes = buffer.WrittenSpan.ToArray();
        (_buffer, _writer) = (buffer, writer);
        return bytes;
    }

    public static byte[] Indent(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json);
        var buffer = new ArrayBufferWriter<byte>(json.Length * 2);
        using (var writer = new Utf8JsonWriter(buffer, IndentedOptions))
        {
            document.WriteTo(writer);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Writes a member of the request as it came, or a fallback.</summary>
    public static void Echo(this Utf8JsonWriter json, string name, JsonElement from, ReadOnlySpan<byte> fallback)
    {
        json.WritePropertyName(name);
        if (from.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null)
        {
            value.WriteTo(json);
        }
        else
        {
            json.WriteRawValue(fallback, skipInputValidation: true);
        }
    }
}

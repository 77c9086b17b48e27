using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Simulator.Scripts;

/// <summary>
/// A point in the course of an answer. A step with a position runs as soon as the answer has got that far:
/// <c>start</c> (nothing sent), <c>headers</c> (HTTP status and headers sent), <c>created</c>, <c>delta:3</c> (three delta events sent),
/// <c>event:5</c>, <c>item:1</c> (one output item done), <c>output</c> (all items done), <c>terminal</c>, or the name of any event type.
/// </summary>
[JsonConverter(typeof(PositionJsonConverter))]
public readonly record struct Position
{
    private readonly string? _name;

    // The start is the default value, and equal to it.
    private Position(string name, int count = 0) => (_name, Count) = (name == "start" ? null : name, count);

    /// <summary>Before anything is sent.</summary>
    public static Position Start => default;

    /// <summary>After the HTTP status line and headers. The same as <see cref="Start"/> on a WebSocket.</summary>
    public static Position Headers => new("headers");

    /// <summary>After <c>response.created</c>.</summary>
    public static Position Created => new("created");

    /// <summary>After the last output item, before the terminal event.</summary>
    public static Position Output => new("output");

    /// <summary>After the terminal event; on a WebSocket the socket is idle then.</summary>
    public static Position Terminal => new("terminal");

    /// <summary>After <paramref name="count"/> delta events of any kind.</summary>
    public static Position Delta(int count) => new("delta", count);

    /// <summary>After <paramref name="count"/> events of any kind.</summary>
    public static Position Event(int count) => new("event", count);

    /// <summary>After <paramref name="count"/> finished output items.</summary>
    public static Position Item(int count) => new("item", count);

    /// <summary>After the first event of <paramref name="type"/>.</summary>
    public static Position Type(string type) => new(type);

    /// <summary>The keyword or event type.</summary>
    public string Name => _name ?? "start";

    /// <summary>The count of <c>delta</c>, <c>event</c> and <c>item</c>.</summary>
    public int Count { get; }

    /// <summary>Reads the textual form.</summary>
    public static Position Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon < 0
            ? new Position(text, text is "delta" or "event" or "item" ? 1 : 0)
            : new Position(text[..colon], int.Parse(text.AsSpan(colon + 1), CultureInfo.InvariantCulture));
    }

    /// <inheritdoc/>
    public override string ToString() => Count == 0 ? Name : string.Create(CultureInfo.InvariantCulture, $"{Name}:{Count}");
}

internal sealed class PositionJsonConverter : JsonConverter<Position>
{
    public override Position Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try
        {
            return Position.Parse(reader.GetString() ?? "start");
        }
        catch (FormatException malformed)
        {
            throw new JsonException($"Unknown position '{reader.GetString()}'.", malformed);
        }
    }

    public override void Write(Utf8JsonWriter writer, Position value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());
}

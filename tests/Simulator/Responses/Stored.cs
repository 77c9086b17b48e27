using System.Text.Json;

namespace Simulator.Responses;

/// <summary>A response that can be asked for by id.</summary>
internal sealed class StoredResponse(string id, IReadOnlyList<JsonElement> input, int contextItems)
{
    public string Id { get; } = id;

    /// <summary>Input items, each with an id.</summary>
    public IReadOnlyList<JsonElement> Input { get; } = [.. input.Select(Items.WithId)];

    /// <summary>Items of the whole chain up to and with its output.</summary>
    public int ContextItems { get; } = contextItems;

    /// <summary>The response object.</summary>
    public required byte[] Json { get; set; }

    /// <summary>The running turn, where it was made with <c>background:true</c>.</summary>
    public Turns.BackgroundOutput? Background { get; init; }
}

/// <summary>A conversation object with its items.</summary>
internal sealed class Conversation(string id, long createdAt)
{
    private readonly Lock _lock = new();
    private readonly List<JsonElement> _items = [];

    public string Id { get; } = id;

    public long CreatedAt { get; } = createdAt;

    public JsonElement? Metadata { get; set; }

    public IReadOnlyList<JsonElement> Items
    {
        get
        {
            lock (_lock)
            {
                return [.. _items];
            }
        }
    }

    public IReadOnlyList<JsonElement> Add(IEnumerable<JsonElement> items)
    {
        List<JsonElement> added = [.. items.Select(Responses.Items.WithId)];
        lock (_lock)
        {
            _items.AddRange(added);
        }

        return added;
    }

    public bool Remove(string itemId)
    {
        lock (_lock)
        {
            return _items.RemoveAll(item => TurnRequest.Text(item, "id") == itemId) > 0;
        }
    }
}

/// <summary>Anything else that an organisation keeps, as its <c>object</c> calls it.</summary>
internal sealed record StoredObject(string Id, string Type, System.Text.Json.Nodes.JsonObject Json);

/// <summary>An uploaded file.</summary>
internal sealed record StoredFile(string Id, string Name, string Purpose, byte[] Content, long CreatedAt);

internal static class Items
{
    /// <summary>The item itself if it has an id, else a copy with one.</summary>
    public static JsonElement WithId(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object || TurnRequest.Text(item, "id") is not null)
        {
            return item;
        }

        return JsonDocument.Parse(JsonBytes.Write(item, static (json, source) =>
        {
            json.WriteStartObject();
            json.WriteString("id", Ids.Item(TurnRequest.Text(source, "type")));
            foreach (var member in source.EnumerateObject())
            {
                member.WriteTo(json);
            }

            json.WriteEndObject();
        })).RootElement;
    }
}

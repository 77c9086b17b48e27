using System.Text.Json;

namespace Simulator.Responses;

/// <summary>What the body of a <c>POST /responses</c>, or a <c>response.create</c> frame, asks for.</summary>
internal sealed class TurnRequest
{
    private TurnRequest(JsonElement root, ReadOnlyMemory<byte> body, IReadOnlyList<JsonElement> input)
    {
        (Root, Body, Input) = (root, body, input);
        Model = Text(root, "model") ?? "gpt-simulated";
        PreviousResponseId = Text(root, "previous_response_id");
        ConversationId = root.TryGetProperty("conversation", out var conversation)
            ? conversation.ValueKind == JsonValueKind.Object ? Text(conversation, "id") : conversation.GetString()
            : null;
    }

    public JsonElement Root { get; }

    public ReadOnlyMemory<byte> Body { get; }

    public IReadOnlyList<JsonElement> Input { get; init; }

    public string Model { get; }

    public string? PreviousResponseId { get; init; }

    public string? ConversationId { get; }

    public bool Stream => Flag("stream", false);

    public bool Store => Flag("store", true);

    public bool Background => Flag("background", false);

    public bool Generate => Flag("generate", true);

    public string? StreamId => Text(Root, "stream_id");

    public bool IncludesEncryptedReasoning =>
        Root.TryGetProperty("include", out var include) && include.ValueKind == JsonValueKind.Array
        && include.EnumerateArray().Any(item => item.ValueEquals("reasoning.encrypted_content"u8));

    /// <summary>Codex's remote compaction.</summary>
    public bool Compacts => Input is [.., var last] && Text(last, "type") == "compaction_trigger";

    /// <summary>The last text of a user.</summary>
    public string? UserText => Input.Reverse().Where(item => Text(item, "role") == "user").Select(ItemText).FirstOrDefault();

    /// <summary>The output of a tool, where that is the last thing in the input.</summary>
    public string? ToolOutput => Input is [.., var last] && Text(last, "type") is "function_call_output" or "custom_tool_call_output"
        ? last.TryGetProperty("output", out var output) ? output.ToString() : ""
        : null;

    /// <summary>Reads a body; an error where the API would answer 400.</summary>
    public static (TurnRequest? Request, ApiError? Error) Parse(ReadOnlyMemory<byte> body)
    {
        JsonElement root;
        try
        {
            root = JsonDocument.Parse(body).RootElement;
        }
        catch (JsonException)
        {
            return (null, ApiError.Invalid("We could not parse the JSON body of your request."));
        }

        if (root.ValueKind != JsonValueKind.Object)
        {
            return (null, ApiError.Invalid("The request body must be a JSON object."));
        }

        var request = new TurnRequest(root, body, ReadInput(root));
        if (request is { PreviousResponseId: not null, ConversationId: not null })
        {
            return (null, ApiError.Invalid(
                "Mutually exclusive parameters: 'previous_response_id' and 'conversation'.", null, "mutually_exclusive_parameters"));
        }

        return Text(root, "model") is null
            ? (null, ApiError.Invalid("Missing required parameter: 'model'.", "model", "missing_required_parameter"))
            : (request, null);
    }

    /// <summary>The request of the response that follows a steered one: same settings, new input.</summary>
    public TurnRequest Steered(string previousResponseId, JsonElement steer) =>
        new(Root, Body, ReadInput(steer)) { PreviousResponseId = previousResponseId };

    /// <summary>The request with more input.</summary>
    public TurnRequest With(IReadOnlyList<JsonElement> moreInput) => new(Root, Body, [.. Input, .. moreInput]);

    public static string? Text(JsonElement from, string name) =>
        from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    public static List<JsonElement> ReadInput(JsonElement root)
    {
        if (!root.TryGetProperty("input", out var input))
        {
            return [];
        }

        return input.ValueKind switch
        {
            JsonValueKind.Array => [.. input.EnumerateArray()],
            JsonValueKind.String => [JsonSerializer.SerializeToElement(new { type = "message", role = "user", content = input.GetString() })],
            _ => [],
        };
    }

    private static string ItemText(JsonElement item)
    {
        if (!item.TryGetProperty("content", out var content))
        {
            return "";
        }

        return content.ValueKind == JsonValueKind.String
            ? content.GetString()!
            : string.Concat(content.EnumerateArray().Select(part => Text(part, "text")));
    }

    private bool Flag(string name, bool otherwise) =>
        Root.TryGetProperty(name, out var value) ? value.ValueKind == JsonValueKind.True || (value.ValueKind != JsonValueKind.False && otherwise) : otherwise;
}

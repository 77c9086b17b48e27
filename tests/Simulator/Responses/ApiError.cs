using System.Text.Json;

namespace Simulator.Responses;

/// <summary>An error of the API: a status and the four members of the error object, all always present.</summary>
internal sealed record ApiError(int Status, string? Code, string Message, string? Param = null, string Type = "invalid_request_error")
{
    public static ApiError PreviousResponseNotFound(string id) =>
        new(400, "previous_response_not_found", $"Previous response with id '{id}' not found.", "previous_response_id");

    public static ApiError ResponseNotFound(string id) => new(404, null, $"Response with id '{id}' not found.");

    public static ApiError ConversationNotFound(string id) => new(404, null, $"Conversation with id '{id}' not found.");

    public static ApiError FileNotFound(string id) => new(404, null, $"No such File object: {id}", "id");

    public static ApiError ObjectNotFound(string type, string id) =>
        new(404, null, $"{char.ToUpperInvariant(type[0])}{type[1..].Replace('_', ' ').Replace('.', ' ')} with id '{id}' not found.");

    public static ApiError ItemNotFound(string id) => new(404, null, $"Item with id '{id}' not found.", "input");

    public static ApiError Invalid(string message, string? param = null, string? code = null) => new(400, code, message, param);

    public void WriteObject(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("message", Message);
        json.WriteString("type", Type);
        json.WriteString("param", Param);
        json.WriteString("code", Code);
        json.WriteEndObject();
    }

    /// <summary>The body of an HTTP error.</summary>
    public byte[] Envelope() => JsonBytes.Write(this, static (json, error) =>
    {
        json.WriteStartObject();
        json.WritePropertyName("error");
        error.WriteObject(json);
        json.WriteEndObject();
    });

    /// <summary>The error frame of a WebSocket, always with a status.</summary>
    public byte[] Frame(string? streamId) => JsonBytes.Write((Error: this, streamId), static (json, state) =>
    {
        json.WriteStartObject();
        json.WriteString("type", "error");
        json.WriteNumber("status", state.Error.Status);
        if (state.streamId is not null)
        {
            json.WriteString("stream_id", state.streamId);
        }

        json.WritePropertyName("error");
        state.Error.WriteObject(json);
        json.WriteEndObject();
    });
}

using System.Text.Json;
using Simulator.Responses;

namespace Simulator.Turns;

/// <summary>The response object, with the settings of the request echoed as the API does.</summary>
internal static class ResponseObject
{
    public static byte[] Write(Turn turn, string status, ApiError? error = null, string? incompleteReason = null) =>
        JsonBytes.Write((turn, status, error, incompleteReason), static (json, s) => Write(json, s.turn, s.status, s.error, s.incompleteReason));

    private static void Write(Utf8JsonWriter json, Turn turn, string status, ApiError? error, string? incompleteReason)
    {
        var (root, answer) = (turn.Request.Root, turn.Rule.Answer);
        var finished = status is "completed" or "incomplete";
        json.WriteStartObject();
        json.WriteString("id", turn.Id);
        json.WriteString("object", "response");
        json.WriteNumber("created_at", turn.CreatedAt);
        json.WriteString("status", status);
        json.WriteBoolean("background", turn.Request.Background);
        json.WritePropertyName("completed_at");
        if (status == "completed")
        {
            json.WriteNumberValue(turn.CreatedAt);
        }
        else
        {
            json.WriteNullValue();
        }

        WriteError(json, error);
        WriteIncompleteDetails(json, incompleteReason);
        json.Echo("instructions", root, "null"u8);
        json.Echo("max_output_tokens", root, "null"u8);
        json.Echo("max_tool_calls", root, "null"u8);
        json.WriteString("model", answer.Model ?? turn.Request.Model);
        json.WriteStartArray("output");
        if (finished)
        {
            foreach (var item in turn.Output)
            {
                item.Write(json, done: true);
            }
        }

        json.WriteEndArray();
        json.Echo("parallel_tool_calls", root, "true"u8);
        json.WriteString("previous_response_id", turn.Request.PreviousResponseId);
        if (turn.Request.ConversationId is { } conversation)
        {
            json.WriteStartObject("conversation");
            json.WriteString("id", conversation);
            json.WriteEndObject();
        }

        json.Echo("prompt_cache_key", root, "null"u8);
        json.Echo("reasoning", root, """{"effort":null,"summary":null}"""u8);
        json.WriteString("service_tier", "default");
        json.WriteBoolean("store", turn.Request.Store);
        json.Echo("temperature", root, "1.0"u8);
        json.Echo("text", root, """{"format":{"type":"text"},"verbosity":"medium"}"""u8);
        json.Echo("tool_choice", root, "\"auto\""u8);
        json.Echo("tools", root, "[]"u8);
        json.Echo("top_p", root, "1.0"u8);
        json.Echo("truncation", root, "\"disabled\""u8);
        json.WritePropertyName("usage");
        if (finished)
        {
            WriteUsage(json, turn);
        }
        else
        {
            json.WriteNullValue();
        }

        json.Echo("user", root, "null"u8);
        json.Echo("metadata", root, "{}"u8);
        json.WriteEndObject();
    }

    /// <summary>The <c>error</c> of a response has a code and a message only, unless a rule adds more.</summary>
    private static void WriteError(Utf8JsonWriter json, ApiError? error)
    {
        json.WritePropertyName("error");
        if (error is null)
        {
            json.WriteNullValue();
            return;
        }

        json.WriteStartObject();
        json.WriteString("code", error.Code);
        json.WriteString("message", error.Message);
        json.WriteEndObject();
    }

    private static void WriteIncompleteDetails(Utf8JsonWriter json, string? reason)
    {
        json.WritePropertyName("incomplete_details");
        if (reason is null)
        {
            json.WriteNullValue();
            return;
        }

        json.WriteStartObject();
        json.WriteString("reason", reason);
        json.WriteEndObject();
    }

    private static void WriteUsage(Utf8JsonWriter json, Turn turn)
    {
        var answer = turn.Rule.Answer;
        var input = answer.InputTokens ?? (turn.Request.Body.Length / 4) + 1;
        var output = answer.OutputTokens ?? turn.Output.Sum(item => item.Tokens);
        var reasoning = turn.Output.OfType<ReasoningItem>().Sum(item => item.Tokens);
        json.WriteStartObject();
        json.WriteNumber("input_tokens", input);
        json.WriteStartObject("input_tokens_details");
        json.WriteNumber("cached_tokens", turn.Request.PreviousResponseId is null ? 0 : input / 2);
        json.WriteNumber("cache_write_tokens", 0);
        json.WriteEndObject();
        json.WriteNumber("output_tokens", output);
        json.WriteStartObject("output_tokens_details");
        json.WriteNumber("reasoning_tokens", Math.Min(reasoning, output));
        json.WriteEndObject();
        json.WriteNumber("total_tokens", input + output);
        json.WriteEndObject();
    }
}

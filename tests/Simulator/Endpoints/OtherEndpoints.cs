using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Simulator.Accounts;
using Simulator.Responses;

namespace Simulator.Endpoints;

/// <summary>Endpoints that a gateway only passes through: <c>/embeddings</c> and <c>/chat/completions</c>, in their simplest form.</summary>
internal sealed class OtherEndpoints(TimeProvider time)
{
    public void Map(IEndpointRouteBuilder api)
    {
        api.MapPost("/embeddings", EmbedAsync);
        api.MapPost("/chat/completions", ChatAsync);
    }

    private static Task EmbedAsync(HttpContext context)
    {
        var request = context.RequestJson();
        var inputs = request.TryGetProperty("input", out var input) && input.ValueKind == JsonValueKind.Array
            ? input.EnumerateArray().Select(item => item.ToString()).ToList()
            : [input.ToString()];
        var base64 = TurnRequest.Text(request, "encoding_format") == "base64";
        var tokens = inputs.Sum(text => (text.Length / 4) + 1);
        return context.JsonAsync(new JsonObject
        {
            ["object"] = "list",
            ["data"] = new JsonArray([.. inputs.Select((text, index) => (JsonNode)new JsonObject
            {
                ["object"] = "embedding",
                ["index"] = index,
                ["embedding"] = Embedding(text, base64),
            })]),
            ["model"] = TurnRequest.Text(request, "model"),
            ["usage"] = new JsonObject { ["prompt_tokens"] = tokens, ["total_tokens"] = tokens },
        });
    }

    private static JsonNode Embedding(string text, bool base64)
    {
        float[] vector = [text.Length / 1000f, text.Count(char.IsLetter) / 1000f, text.Count(char.IsWhiteSpace) / 1000f, 1f];
        return base64
            ? JsonValue.Create(Convert.ToBase64String(MemoryMarshal.AsBytes(vector.AsSpan())))
            : new JsonArray([.. vector.Select(value => (JsonNode)value)]);
    }

    private async Task ChatAsync(HttpContext context)
    {
        var request = context.RequestJson();
        var last = request.TryGetProperty("messages", out var messages) && messages.ValueKind == JsonValueKind.Array
            ? messages.EnumerateArray().LastOrDefault()
            : default;
        var text = string.Create(CultureInfo.InvariantCulture, $"You said: {TurnRequest.Text(last, "content")}.");
        var id = "chatcmpl-" + Ids.Response()[5..];
        if (!(request.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.True))
        {
            var answer = Body(id, "chat.completion", request, new JsonObject
            {
                ["index"] = 0,
                ["message"] = new JsonObject { ["role"] = "assistant", ["content"] = text, ["refusal"] = null },
                ["finish_reason"] = "stop",
            });
            answer["usage"] = Usage(context, text);
            await context.JsonAsync(answer);
            return;
        }

        context.Response.ContentType = "text/event-stream; charset=utf-8";
        string[] pieces = [text[..(text.Length / 2)], text[(text.Length / 2)..]];
        foreach (var piece in pieces)
        {
            await ChunkAsync(new JsonObject { ["role"] = "assistant", ["content"] = piece }, null, null);
        }

        await ChunkAsync([], "stop", Usage(context, text));
        await context.Response.WriteAsync("data: [DONE]\n\n", context.RequestAborted);

        Task ChunkAsync(JsonObject delta, string? finish, JsonObject? usage)
        {
            var chunk = Body(id, "chat.completion.chunk", request, new JsonObject { ["index"] = 0, ["delta"] = delta, ["finish_reason"] = finish });
            chunk["usage"] = usage;
            return context.Response.WriteAsync($"data: {chunk.ToJsonString()}\n\n", context.RequestAborted);
        }
    }

    private JsonObject Body(string id, string type, JsonElement request, JsonObject choice) => new()
    {
        ["id"] = id,
        ["object"] = type,
        ["created"] = time.GetUtcNow().ToUnixTimeSeconds(),
        ["model"] = TurnRequest.Text(request, "model"),
        ["choices"] = new JsonArray(choice),
    };

    private static JsonObject Usage(HttpContext context, string text)
    {
        var (prompt, completion) = ((context.Caller().Exchange.Body.Length / 4) + 1, (text.Length / 4) + 1);
        return new JsonObject { ["prompt_tokens"] = prompt, ["completion_tokens"] = completion, ["total_tokens"] = prompt + completion };
    }
}

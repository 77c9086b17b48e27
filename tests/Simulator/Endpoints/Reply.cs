using System.Text.Json;
using System.Text.Json.Nodes;
using Simulator.Accounts;
using Simulator.Responses;
using Simulator.Turns;

namespace Simulator.Endpoints;

/// <summary>The bodies of the endpoints that are not turns.</summary>
internal static class Reply
{
    public static async Task JsonAsync(this HttpContext context, ReadOnlyMemory<byte> json)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = json.Length;
        await context.Response.BodyWriter.WriteAsync(json, context.RequestAborted);
    }

    public static Task JsonAsync(this HttpContext context, JsonNode json) =>
        context.JsonAsync(JsonSerializer.SerializeToUtf8Bytes(json));

    public static async Task ErrorAsync(this HttpContext context, ApiError error) =>
        await Refusal.WriteAsync(context, error, context.RequestAborted);

    /// <summary>A page of a list, by <c>limit</c>, <c>order</c> (newest first by default) and <c>after</c>.</summary>
    public static Task PageAsync(this HttpContext context, IEnumerable<JsonElement> items)
    {
        var query = context.Request.Query;
        var ordered = query["order"] == "asc" ? items : items.Reverse();
        if (query["after"] is [{ } after])
        {
            ordered = ordered.SkipWhile(item => TurnRequest.Text(item, "id") != after).Skip(1);
        }

        var limit = int.TryParse(query["limit"], out var asked) ? Math.Clamp(asked, 1, 100) : 20;
        List<JsonElement> page = [.. ordered.Take(limit + 1)];
        var hasMore = page.Count > limit;
        page = page[..Math.Min(limit, page.Count)];
        return context.JsonAsync(JsonBytes.Write((page, hasMore), static (json, s) =>
        {
            json.WriteStartObject();
            json.WriteString("object", "list");
            json.WriteStartArray("data");
            s.page.ForEach(item => item.WriteTo(json));
            json.WriteEndArray();
            json.WriteString("first_id", s.page.Count == 0 ? null : TurnRequest.Text(s.page[0], "id"));
            json.WriteString("last_id", s.page.Count == 0 ? null : TurnRequest.Text(s.page[^1], "id"));
            json.WriteBoolean("has_more", s.hasMore);
            json.WriteEndObject();
        }));
    }

    /// <summary>The request body; an empty object without one.</summary>
    public static JsonElement RequestJson(this HttpContext context)
    {
        var body = context.Caller().Exchange.Body;
        return body.Length == 0 ? JsonDocument.Parse("{}").RootElement : JsonDocument.Parse(body).RootElement;
    }

    public static string Route(this HttpContext context, string name) => (string)context.Request.RouteValues[name]!;
}

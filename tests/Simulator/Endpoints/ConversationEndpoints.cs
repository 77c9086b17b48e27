using System.Text.Json;
using System.Text.Json.Nodes;
using Simulator.Accounts;
using Simulator.Responses;

namespace Simulator.Endpoints;

/// <summary><c>/conversations</c> and their items.</summary>
internal sealed class ConversationEndpoints(TimeProvider time)
{
    public void Map(IEndpointRouteBuilder api)
    {
        api.MapPost("/conversations", CreateAsync);
        api.MapGet("/conversations/{id}", context => WithAsync(context, conversation => context.JsonAsync(Describe(conversation))));
        api.MapPost("/conversations/{id}", context => WithAsync(context, conversation => UpdateAsync(context, conversation)));
        api.MapDelete("/conversations/{id}", context => WithAsync(context, conversation => DeleteAsync(context, conversation)));
        api.MapGet("/conversations/{id}/items", context => WithAsync(context, conversation => context.PageAsync(conversation.Items)));
        api.MapPost("/conversations/{id}/items", context => WithAsync(context, conversation => AddItemsAsync(context, conversation)));
        api.MapGet("/conversations/{id}/items/{item}", context => WithAsync(context, conversation => GetItemAsync(context, conversation)));
        api.MapDelete("/conversations/{id}/items/{item}", context => WithAsync(context, conversation => RemoveItemAsync(context, conversation)));
    }

    private static Task WithAsync(HttpContext context, Func<Conversation, Task> handle)
    {
        var id = context.Route("id");
        return context.Caller().Account.Organisation.Conversations.TryGet(id, out var conversation)
            ? handle(conversation)
            : context.ErrorAsync(ApiError.ConversationNotFound(id));
    }

    private Task CreateAsync(HttpContext context)
    {
        var body = context.RequestJson();
        var conversation = new Conversation(Ids.Conversation(), time.GetUtcNow().ToUnixTimeSeconds()) { Metadata = Metadata(body) };
        conversation.Add(ReadItems(body));
        context.Caller().Account.Organisation.Conversations.Put(conversation.Id, conversation);
        return context.JsonAsync(Describe(conversation));
    }

    private static Task UpdateAsync(HttpContext context, Conversation conversation)
    {
        conversation.Metadata = Metadata(context.RequestJson()) ?? conversation.Metadata;
        return context.JsonAsync(Describe(conversation));
    }

    private static Task DeleteAsync(HttpContext context, Conversation conversation)
    {
        context.Caller().Account.Organisation.Conversations.Remove(conversation.Id);
        return context.JsonAsync(new JsonObject { ["id"] = conversation.Id, ["object"] = "conversation.deleted", ["deleted"] = true });
    }

    private static Task AddItemsAsync(HttpContext context, Conversation conversation)
    {
        context.Request.QueryString = new QueryString("?order=asc&limit=100");
        return context.PageAsync(conversation.Add(ReadItems(context.RequestJson())));
    }

    private static Task GetItemAsync(HttpContext context, Conversation conversation)
    {
        var id = context.Route("item");
        var item = conversation.Items.FirstOrDefault(item => TurnRequest.Text(item, "id") == id);
        return item.ValueKind == JsonValueKind.Undefined
            ? context.ErrorAsync(new ApiError(404, null, $"Item with id '{id}' not found."))
            : context.JsonAsync(JsonSerializer.SerializeToUtf8Bytes(item));
    }

    private static Task RemoveItemAsync(HttpContext context, Conversation conversation)
    {
        var id = context.Route("item");
        return conversation.Remove(id)
            ? context.JsonAsync(Describe(conversation))
            : context.ErrorAsync(new ApiError(404, null, $"Item with id '{id}' not found."));
    }

    private static IEnumerable<JsonElement> ReadItems(JsonElement body) =>
        body.TryGetProperty("items", out var items) && items.ValueKind == JsonValueKind.Array ? items.EnumerateArray() : [];

    private static JsonElement? Metadata(JsonElement body) => body.TryGetProperty("metadata", out var metadata) ? metadata : null;

    private static JsonObject Describe(Conversation conversation) => new()
    {
        ["id"] = conversation.Id,
        ["object"] = "conversation",
        ["created_at"] = conversation.CreatedAt,
        ["metadata"] = conversation.Metadata is { } metadata ? JsonNode.Parse(metadata.GetRawText()) : new JsonObject(),
    };
}

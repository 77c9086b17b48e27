using System.Text.Json.Nodes;
using Simulator.Responses;

namespace Simulator.Endpoints;

/// <summary><c>/models</c>, with the keys of the public API and of Codex, which cannot read the public form alone.</summary>
internal static class ModelEndpoints
{
    private const string ETag = "W/\"models-1\"";
    private static readonly string[] Known = ["gpt-5.5", "gpt-5.5-codex", "gpt-5-mini", "text-embedding-3-small"];

    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/models", ListAsync);
        api.MapGet("/models/{**id}", GetAsync);
    }

    private static Task ListAsync(HttpContext context)
    {
        context.Response.Headers.ETag = ETag;
        if (context.Request.Headers.IfNoneMatch == ETag)
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        // No Codex descriptions: it then uses those it was built with.
        return context.JsonAsync(new JsonObject
        {
            ["object"] = "list",
            ["data"] = new JsonArray([.. Known.Select(Describe)]),
            ["models"] = new JsonArray(),
        });
    }

    private static Task GetAsync(HttpContext context)
    {
        var id = context.Route("id").Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        return Known.Contains(id)
            ? context.JsonAsync(Describe(id))
            : context.ErrorAsync(new ApiError(404, "model_not_found", $"The model '{id}' does not exist or you do not have access to it."));
    }

    private static JsonNode Describe(string id) => new JsonObject
    {
        ["id"] = id,
        ["object"] = "model",
        ["created"] = 1_700_000_000,
        ["owned_by"] = "system",
    };
}

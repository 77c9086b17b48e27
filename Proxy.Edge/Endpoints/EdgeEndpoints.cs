using Proxy.Edge.Passthrough;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Endpoints;

/// <summary>Every route of the edge. The same API is mounted under several prefixes; what stands behind the prefix is the same on an account.</summary>
internal static class EdgeEndpoints
{
    public static void MapEdge(this IEndpointRouteBuilder app)
    {
        foreach (var prefix in ApiPrefixes.All)
        {
            MapApi(app.MapGroup(prefix));
        }
        app.Map(AdminForwarding.Pattern, (HttpContext context, AdminForwarding admin) => admin.HandleAsync(context));
        app.MapFallback((HttpContext context) => Errors.NotFound(context.Request.Path).WriteAsync(context));
    }

    private static void MapApi(IEndpointRouteBuilder api)
    {
        foreach (var path in (string[])["/responses", "/responses/compact", "/responses/input_tokens"])
        {
            api.MapPost(path, (HttpContext context, ResponsesEndpoint responses) => responses.HandleAsync(context, path));
        }
        api.MapGet("/responses", (HttpContext context, ResponsesSocketEndpoint socket) => context.WebSockets.IsWebSocketRequest
            ? socket.HandleAsync(context, "/responses")
            : Errors.NotFound(context.Request.Path).WriteAsync(context));
        api.MapGet("/models", (HttpContext context, ModelCatalogue models) => models.HandleAsync(context));
        // Some catalogues have slashes in their ids: openai/gpt-oss-120b.
        api.MapGet("/models/{**id}", (HttpContext context, string id, ModelCatalogue models) => models.HandleOneAsync(context, id));
        foreach (var route in PassthroughRoutes.All)
        {
            api.MapMethods(route.Pattern, [route.Method], (HttpContext context, PassthroughEndpoint passthrough) =>
                passthrough.HandleAsync(context, route));
        }
    }
}

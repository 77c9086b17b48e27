using Microsoft.AspNetCore.Http.HttpResults;
using Proxy.Continuity.Contracts;
using StackExchange.Redis;

namespace Proxy.Continuity.Owners;

/// <summary>Resolve and publish.</summary>
internal static class OwnerEndpoints
{
    public static void MapOwners(this IEndpointRouteBuilder app)
    {
        app.MapPost(ContinuityRoutes.Resolve, ResolveAsync);
        app.MapPost(ContinuityRoutes.Publish, PublishAsync);
    }

    private static async Task<Results<Ok<ResolveResponse>, BadRequest, StatusCodeHttpResult>> ResolveAsync(
        ResolveRequest request, OwnerLookup lookup, CancellationToken cancellationToken)
    {
        if (request.Ids.Count > ContinuityRoutes.MaxIds)
        {
            return TypedResults.BadRequest();
        }
        return await lookup.ResolveAsync(request, cancellationToken) is { } response
            ? TypedResults.Ok(response)
            : TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
    }

    private static async Task<Results<NoContent, Conflict, StatusCodeHttpResult>> PublishAsync(
        PublishRequest request, OwnerAliases aliases, ContinuityMetrics metrics)
    {
        try
        {
            if (await aliases.PublishAsync(request.Id, request.Owner, request.Scope))
            {
                return TypedResults.NoContent();
            }
            metrics.CountConflict();
            return TypedResults.Conflict();
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }
}

using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Proxy.Continuity.Contracts;
using Proxy.Continuity.Sessions;
using StackExchange.Redis;

namespace Proxy.Continuity.Owners;

/// <summary>Resolve, publish, and reject an anchor.</summary>
internal static class OwnerEndpoints
{
    public static void MapOwners(this IEndpointRouteBuilder app)
    {
        app.MapPost(ContinuityRoutes.Resolve, ResolveAsync);
        app.MapPost(ContinuityRoutes.Publish, PublishAsync);
        app.MapPost(ContinuityRoutes.RejectAnchor, RejectAnchorAsync);
    }

    private static async Task<Results<Ok<ResolveResponse>, BadRequest, StatusCodeHttpResult>> ResolveAsync(
        ResolveRequest request, OwnerLookup lookup, CancellationToken cancellationToken)
    {
        if (request.Ids.Count > ContinuityRoutes.MaxIds || request.Ids.Any(IsTooLong))
        {
            return TypedResults.BadRequest();
        }
        return await lookup.ResolveAsync(request, cancellationToken) is { } response
            ? TypedResults.Ok(response)
            : TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
    }

    private static async Task<Results<NoContent, Conflict, StatusCodeHttpResult>> PublishAsync(
        PublishRequest request, OwnerAliases aliases, LastingOwners lasting, SessionRecords sessions, ContinuityMetrics metrics, CancellationToken cancellationToken)
    {
        // No key of Redis and no row of an index, and never will be.
        if (request.With?.Count > ContinuityRoutes.MaxPublishedWith || IsTooLong(request.Id) || request.With?.Any(IsTooLong) == true)
        {
            return TypedResults.StatusCode(StatusCodes.Status400BadRequest);
        }
        try
        {
            if (request.Claim is { } claim && !await sessions.IsHeldAsync(claim))
            {
                metrics.CountFenced("publish");
                return TypedResults.StatusCode(StatusCodes.Status412PreconditionFailed);
            }
            // The truth first: an alias of what Postgres does not know would be gone in a month.
            var isOwner = !OwnedKinds.IsLasting(request.Id.Kind) || await lasting.KeepAsync(request.Id, request.Owner, cancellationToken);
            if (isOwner && await aliases.PublishAsync(request))
            {
                return TypedResults.NoContent();
            }
            metrics.CountConflict();
            return TypedResults.Conflict();
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or NpgsqlException)
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static bool IsTooLong(OwnedId id) => id.Id.Length > OwnedId.MaxLength;

    private static async Task<Results<Ok<RejectAnchorResponse>, StatusCodeHttpResult>> RejectAnchorAsync(RejectAnchorRequest request, RejectedAnchors anchors)
    {
        try
        {
            return TypedResults.Ok(new RejectAnchorResponse(await anchors.RejectAsync(request.KeyId, request.Anchor)));
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }
}

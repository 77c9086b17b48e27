using Microsoft.AspNetCore.Http.HttpResults;
using Proxy.Continuity.Contracts;
using StackExchange.Redis;

namespace Proxy.Continuity.Owners;

/// <summary>Resolve, publish, and reject an anchor.</summary>
internal static class OwnerEndpoints
{
    public static void MapOwners(this IEndpointRouteBuilder app)
    {
        app.MapPost(ContinuityRoutes.Resolve, ResolveAsync);
        app.MapPost(ContinuityRoutes.Publish, PublishAsync);
        app.MapPost(ContinuityRoutes.PublishMany, PublishManyAsync);
        app.MapPost(ContinuityRoutes.RejectAnchor, RejectAnchorAsync);
    }

    private static async Task<Results<Ok<ResolveResponse>, BadRequest, StatusCodeHttpResult>> ResolveAsync(
        ResolveRequest request, OwnerLookup lookup, CancellationToken cancellationToken)
    {
        if (request.Ids.Count > ContinuityRoutes.MaxIds || request.Ids.Any(id => id.Id.Length > OwnedId.MaxLength))
        {
            return TypedResults.BadRequest();
        }
        return await lookup.ResolveAsync(request, cancellationToken) is { } response
            ? TypedResults.Ok(response)
            : TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
    }

    private static async Task<StatusCodeHttpResult> PublishAsync(PublishRequest request, OwnerPublishing publishing, CancellationToken cancellationToken) =>
        TypedResults.StatusCode(await publishing.PublishAsync(request, cancellationToken));

    private static async Task<Results<Ok<PublishManyResponse>, BadRequest>> PublishManyAsync(PublishManyRequest request, OwnerPublishing publishing, CancellationToken cancellationToken) =>
        request.Requests.Count > ContinuityRoutes.MaxPublished
            ? TypedResults.BadRequest()
            : TypedResults.Ok(new PublishManyResponse(await Task.WhenAll(request.Requests.Select(one => publishing.PublishAsync(one, cancellationToken)))));

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

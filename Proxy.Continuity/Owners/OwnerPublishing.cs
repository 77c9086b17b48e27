using Npgsql;
using Proxy.Continuity.Contracts;
using Proxy.Continuity.Sessions;
using StackExchange.Redis;

namespace Proxy.Continuity.Owners;

/// <summary>Keeps who owns an id: in Postgres what outlives every cache, and in Redis all.</summary>
internal sealed class OwnerPublishing(OwnerAliases aliases, LastingOwners lasting, SessionRecords sessions, ContinuityMetrics metrics)
{
    /// <summary>Publishes one; the status that <see cref="PublishRequest"/> describes, 400 for what can never be kept, or 503 while a store is away.</summary>
    public async Task<int> PublishAsync(PublishRequest request, CancellationToken cancellationToken)
    {
        // No key of Redis and no row of an index, and never will be.
        if (request.With?.Count > ContinuityRoutes.MaxPublishedWith || IsTooLong(request.Id) || request.With?.Any(IsTooLong) == true)
        {
            return StatusCodes.Status400BadRequest;
        }
        try
        {
            if (request.Claim is { } claim && !await sessions.IsHeldAsync(claim))
            {
                metrics.CountFenced("publish");
                return StatusCodes.Status412PreconditionFailed;
            }
            // The truth first: an alias of what Postgres does not know would be gone in a month.
            var isOwner = !OwnedKinds.IsLasting(request.Id.Kind) || await lasting.KeepAsync(request.Id, request.Owner, cancellationToken);
            if (isOwner && await aliases.PublishAsync(request))
            {
                return StatusCodes.Status204NoContent;
            }
            metrics.CountConflict();
            return StatusCodes.Status409Conflict;
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or NpgsqlException)
        {
            return StatusCodes.Status503ServiceUnavailable;
        }
    }

    private static bool IsTooLong(OwnedId id) => id.Id.Length > OwnedId.MaxLength;
}

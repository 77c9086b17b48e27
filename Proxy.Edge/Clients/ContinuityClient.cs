using System.Net;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Clients;

/// <summary>What became of a write to the continuity service.</summary>
internal enum Publication
{
    /// <summary>It is kept, or trying again is of no use: the service cannot take it.</summary>
    Done,

    /// <summary>The id has another owner already, and keeps it.</summary>
    Taken,

    /// <summary>It may be tried again.</summary>
    Failed,

    /// <summary>Another edge has claimed the session meanwhile: it is not this edge's to write.</summary>
    Superseded,
}

/// <summary>The continuity service, each call bounded. Its calls are idempotent, so one that failed on the way is made once more.</summary>
internal sealed class ContinuityClient(HttpClient http)
{
    private static readonly TimeSpan ResolveBound = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan PublishBound = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RejectBound = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SessionBound = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan IntakeBound = TimeSpan.FromSeconds(30);

    /// <summary>The owners of some ids, or null when they could not be looked up.</summary>
    public async Task<ResolveResponse?> ResolveAsync(ResolveRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(ContinuityRoutes.Resolve, request, ContinuityJson.Default.ResolveRequest, ResolveBound, mayRepeat: true, cancellationToken);
        return await response.TryReadAsync(ContinuityJson.Default.ResolveResponse, cancellationToken);
    }

    /// <summary>Keeps an owner.</summary>
    public async Task<Publication> PublishAsync(PublishRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(ContinuityRoutes.Publish, request, ContinuityJson.Default.PublishRequest, PublishBound, mayRepeat: true, cancellationToken);
        return PublicationOf((int?)response?.StatusCode);
    }

    /// <summary>Keeps owners, each by itself; what became of them, in their order.</summary>
    public async Task<IReadOnlyList<Publication>> PublishAsync(IReadOnlyList<PublishRequest> requests, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(
            ContinuityRoutes.PublishMany, new(requests), ContinuityJson.Default.PublishManyRequest, PublishBound, mayRepeat: true, cancellationToken);
        if (response?.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge)
        {
            // An older service, or one of them that it cannot take: the others are not to suffer from it.
            return await Task.WhenAll(requests.Select(request => PublishAsync(request, cancellationToken)));
        }
        var statuses = (await response.TryReadAsync(ContinuityJson.Default.PublishManyResponse, cancellationToken))?.Statuses ?? [];
        return [.. requests.Select((_, index) => PublicationOf(index < statuses.Count ? statuses[index] : null))];
    }

    /// <summary>Claims a session, or finds who has; null when that could not be asked.</summary>
    public async Task<ClaimSessionResponse?> ClaimSessionAsync(ClaimSessionRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(
            ContinuityRoutes.ClaimSession, request, ContinuityJson.Default.ClaimSessionRequest, SessionBound, mayRepeat: true, cancellationToken);
        return await response.TryReadAsync(ContinuityJson.Default.ClaimSessionResponse, cancellationToken);
    }

    /// <summary>Where a session is; null when that could not be asked.</summary>
    public async Task<FindSessionResponse?> FindSessionAsync(string session, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(
            ContinuityRoutes.FindSession, new FindSessionRequest(session), ContinuityJson.Default.FindSessionRequest, SessionBound, mayRepeat: true, cancellationToken);
        return await response.TryReadAsync(ContinuityJson.Default.FindSessionResponse, cancellationToken);
    }

    /// <summary>Writes what a session has come to.</summary>
    public async Task<Publication> WriteSessionAsync(WriteSessionRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(
            ContinuityRoutes.WriteSession, request, ContinuityJson.Default.WriteSessionRequest, PublishBound, mayRepeat: true, cancellationToken);
        return response?.StatusCode switch
        {
            HttpStatusCode.NoContent => Publication.Done,
            HttpStatusCode.Conflict => Publication.Superseded,
            _ => Publication.Failed,
        };
    }

    /// <summary>The claims that were lost; null when the service does not answer.</summary>
    public async Task<RenewSessionsResponse?> RenewSessionsAsync(IReadOnlyList<RenewedSession> sessions, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(
            ContinuityRoutes.RenewSessions, new RenewSessionsRequest(sessions), ContinuityJson.Default.RenewSessionsRequest, SessionBound, mayRepeat: true, cancellationToken);
        return await response.TryReadAsync(ContinuityJson.Default.RenewSessionsResponse, cancellationToken);
    }

    /// <summary>Gives claims up, so that another edge need not wait for their end. If it fails, they end by themselves.</summary>
    public async Task ReleaseSessionsAsync(IReadOnlyList<SessionClaim> claims, CancellationToken cancellationToken)
    {
        using var _ = await http.TryPostAsync(
            ContinuityRoutes.ReleaseSessions, new ReleaseSessionsRequest(claims), ContinuityJson.Default.ReleaseSessionsRequest, SessionBound, mayRepeat: true, cancellationToken);
    }

    /// <summary>Notes that the key is told that an anchor does not work; whether it was before, or null when that could not be asked.</summary>
    public async Task<bool?> RejectAnchorAsync(string keyId, string anchor, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(
            ContinuityRoutes.RejectAnchor, new RejectAnchorRequest(keyId, anchor), ContinuityJson.Default.RejectAnchorRequest, RejectBound, mayRepeat: false, cancellationToken);
        return (await response.TryReadAsync(ContinuityJson.Default.RejectAnchorResponse, cancellationToken))?.Before;
    }

    /// <summary>Sends rows; those that it takes are in the log, or set aside by the service.</summary>
    public async Task<Delivery> IngestAsync(IReadOnlyList<RequestLogRow> rows, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(
            ContinuityRoutes.RequestLogs, new IntakeRequest(rows), ContinuityJson.Default.IntakeRequest, IntakeBound, mayRepeat: false, cancellationToken);
        return Deliveries.Of(response, taken: HttpStatusCode.OK);
    }

    private static Publication PublicationOf(int? status) => (HttpStatusCode?)status switch
    {
        HttpStatusCode.NoContent or HttpStatusCode.BadRequest => Publication.Done,
        HttpStatusCode.Conflict => Publication.Taken,
        HttpStatusCode.PreconditionFailed => Publication.Superseded,
        _ => Publication.Failed,
    };
}

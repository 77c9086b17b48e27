using System.Net;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Clients;

/// <summary>The continuity service, each call bounded. Its calls are idempotent, so one that failed on the way is made once more.</summary>
internal sealed class ContinuityClient(HttpClient http)
{
    private static readonly TimeSpan ResolveBound = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan PublishBound = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RejectBound = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan IntakeBound = TimeSpan.FromSeconds(30);

    /// <summary>The owners of some ids, or null when they could not be looked up.</summary>
    public async Task<ResolveResponse?> ResolveAsync(ResolveRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(ContinuityRoutes.Resolve, request, ContinuityJson.Default.ResolveRequest, ResolveBound, mayRepeat: true, cancellationToken);
        return await response.TryReadAsync(ContinuityJson.Default.ResolveResponse, cancellationToken);
    }

    /// <summary>True when the owner is kept, or trying again is of no use: the id has an owner already, or the service cannot take it.</summary>
    public async Task<bool> PublishAsync(PublishRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(ContinuityRoutes.Publish, request, ContinuityJson.Default.PublishRequest, PublishBound, mayRepeat: true, cancellationToken);
        return response?.StatusCode is HttpStatusCode.NoContent or HttpStatusCode.Conflict or HttpStatusCode.BadRequest;
    }

    /// <summary>Notes that the key is told that an anchor does not work; whether it was before, or null when that could not be asked.</summary>
    public async Task<bool?> RejectAnchorAsync(string keyId, string anchor, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(
            ContinuityRoutes.RejectAnchor, new RejectAnchorRequest(keyId, anchor), ContinuityJson.Default.RejectAnchorRequest, RejectBound, mayRepeat: false, cancellationToken);
        return (await response.TryReadAsync(ContinuityJson.Default.RejectAnchorResponse, cancellationToken))?.Before;
    }

    /// <summary>True when every row is taken in or set aside.</summary>
    public async Task<bool> TakeInAsync(IReadOnlyList<RequestLogRow> rows, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(
            ContinuityRoutes.RequestLogs, new IntakeRequest(rows), ContinuityJson.Default.IntakeRequest, IntakeBound, mayRepeat: false, cancellationToken);
        return response?.StatusCode == HttpStatusCode.OK;
    }
}

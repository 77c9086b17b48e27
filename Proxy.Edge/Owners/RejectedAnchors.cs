using Microsoft.Extensions.Caching.Memory;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;

namespace Proxy.Edge.Owners;

/// <summary>
/// Which key was told of which anchor that it does not work. Asked to retry for ever, a client would never learn that the anchor is dead;
/// the second time it is told. The continuity service remembers for all edges, this edge for itself while that is away.
/// </summary>
internal sealed class RejectedAnchors(ContinuityClient continuity, IMemoryCache cache)
{
    private static readonly MemoryCacheEntryOptions Remembered =
        new() { Size = 1, AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(RejectAnchorResponse.RejectedMinutes) };

    /// <summary>Notes a rejection; true if it is not the first.</summary>
    public async Task<bool> NoteAsync(string keyId, string anchor, CancellationToken cancellationToken)
    {
        var key = ("rejected", keyId, anchor);
        var before = cache.TryGetValue(key, out _);
        if (!before)
        {
            cache.Set(key, true, Remembered);
        }
        return await continuity.RejectAnchorAsync(keyId, anchor, cancellationToken) ?? before;
    }
}

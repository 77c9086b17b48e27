using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using Proxy.Edge.Clients;

namespace Proxy.Edge.Sessions;

/// <summary>Another edge, and the session it holds.</summary>
internal sealed record SessionHolder(string Address, string Session);

/// <summary>POST <see cref="SessionRoutes.Probe"/>: 204 if this edge holds the session, and a socket on which the anchor lives; else 404.</summary>
/// <param name="Anchor">Null for a turn that has none.</param>
internal sealed record ProbeRequest(string Session, string? Anchor);

/// <summary>What edges ask one another.</summary>
internal static class SessionRoutes
{
    public const string Probe = "/internal/sessions/probe";
    public const string Turns = "/internal/sessions/turns";
}

/// <summary>JSON between edges, without reflection.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ProbeRequest))]
internal sealed partial class EdgeJson : JsonSerializerContext;

/// <summary>
/// Asks another edge, before a turn goes there, whether it is still alive and holds what the turn needs. A process that is frozen takes connections and never
/// answers: what is to be known within a second must be asked with a bound.
/// </summary>
internal sealed class SessionHolders(HttpClient http, IMemoryCache cache, IOptions<SessionsOptions> options)
{
    // A silent edge is not waited for by every turn anew.
    private static readonly MemoryCacheEntryOptions Silent = new() { Size = 1, AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(1) };

    /// <summary>True if the edge says so in time.</summary>
    /// <exception cref="OperationCanceledException">Canceled.</exception>
    public async Task<bool> HoldsAsync(string address, string session, string? anchor, CancellationToken cancellationToken)
    {
        var silence = ("silent", address);
        if (cache.TryGetValue(silence, out _))
        {
            return false;
        }
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(options.Value.ProbeMs);
        using var request = new HttpRequestMessage(HttpMethod.Post, address.TrimEnd('/') + SessionRoutes.Probe)
        {
            Content = JsonContent.Create(new ProbeRequest(session, anchor), EdgeJson.Default.ProbeRequest),
        };
        try
        {
            using var response = await http.SendAsync(request, bound.Token);
            return response.StatusCode == HttpStatusCode.NoContent;
        }
        catch (Exception exception) when (ServiceCalls.IsNoAnswer(exception, cancellationToken))
        {
            cache.Set(silence, true, Silent);
            return false;
        }
    }
}

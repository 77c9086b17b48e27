using Proxy.Edge.Protocol;
using Proxy.Edge.Upstream;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>What the client is told of an upstream socket that could not be opened.</summary>
internal static class HandshakeErrors
{
    public static ApiError Explain(UpstreamHandshake refused)
    {
        if (refused.Status is 0)
        {
            return Errors.UpstreamUnreachable;
        }
        if (refused.Status == StatusCodes.Status401Unauthorized)
        {
            return Errors.UpstreamRefusedCredential;
        }
        var facts = EventScanner.ReadFacts(refused.Body);
        return new ApiError(
            refused.Status >= 500 ? StatusCodes.Status503ServiceUnavailable : refused.Status,
            facts.ErrorCode ?? "upstream_unavailable", $"The upstream account refused the connection with status {refused.Status}.", ApiError.Server, ResetsAt: facts.ResetsAt);
    }
}

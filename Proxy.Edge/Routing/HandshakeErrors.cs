using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>What the client is told of an upstream socket that could not be opened.</summary>
internal static class HandshakeErrors
{
    /// <param name="status">Upstream's answer to the upgrade; 0 for none.</param>
    /// <param name="facts">What its body says.</param>
    public static ApiError Explain(int status, in ResponseFacts facts) => status switch
    {
        0 => Errors.UpstreamUnreachable,
        StatusCodes.Status401Unauthorized => Errors.UpstreamRefusedCredential,
        // An answer that is no refusal, and one that would cost the client its WebSocket for the whole session: both are the account's trouble.
        < 400 or StatusCodes.Status426UpgradeRequired or >= 500 => Refused(StatusCodes.Status503ServiceUnavailable, status, facts),
        _ => Refused(status, status, facts),
    };

    private static ApiError Refused(int told, int status, in ResponseFacts facts) => new(
        told, facts.ErrorCode ?? "upstream_unavailable", $"The upstream account refused the connection with status {status}.", ApiError.Server, ResetsAt: facts.ResetsAt);
}

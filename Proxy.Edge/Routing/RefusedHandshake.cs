using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Upstream;

namespace Proxy.Edge.Routing;

/// <summary>What an upgrade that opened no socket means for the turn that needs one.</summary>
internal static class RefusedHandshake
{
    /// <summary>
    /// True for what servers answer that speak HTTP only: 426, or that there is nothing under this method, or an answer as if no upgrade had been asked for.
    /// </summary>
    public static bool SaysNoWebSocket(int status) =>
        status is (>= 200 and < 300) or StatusCodes.Status404NotFound or StatusCodes.Status405MethodNotAllowed or StatusCodes.Status426UpgradeRequired or StatusCodes.Status501NotImplemented;

    /// <summary>An answer that says what is wrong is as good as an error frame. One that does not, or is not about the turn, is the account's trouble.</summary>
    public static RecoverySignal Explain(UpstreamHandshake refused, string? streamId)
    {
        if (refused.Status == 0)
        {
            return new RecoverySignal(SignalKind.Unreachable);
        }
        var error = (ResponseFactsReader.Read(refused.Body).Error ?? UpstreamError.OfText(refused.Body)).With(refused.Status, refused.RetryAfter);
        if (SaysNoWebSocket(refused.Status) && error is { Kind: UpstreamErrorKind.Other, Code: not "model_not_found" })
        {
            return new RecoverySignal(SignalKind.NoWebSocket, error);
        }
        var isRefusal = refused.Status is >= 400 and < 500;
        return isRefusal || error.Kind != UpstreamErrorKind.Other
            ? new RecoverySignal(SignalKind.Rejected, error) { Raw = ErrorEvents.ErrorFrame(Errors.HandshakeRefused(error, refused.Status), streamId) }
            : new RecoverySignal(SignalKind.Unreachable, error);
    }
}

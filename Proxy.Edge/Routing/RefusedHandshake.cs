using Proxy.Edge.Protocol;
using Proxy.Edge.Turns.Recovery;
using Proxy.Edge.Upstream;

namespace Proxy.Edge.Routing;

/// <summary>What an upgrade that opened no socket means for the turn that needs one.</summary>
internal static class RefusedHandshake
{
    /// <summary>An answer that says what is wrong is as good as an error frame. One that does not, or is not about the turn, is the account's trouble.</summary>
    public static RecoverySignal Explain(UpstreamHandshake refused, string? streamId)
    {
        if (refused.Status == 0)
        {
            return new RecoverySignal(SignalKind.Unreachable);
        }
        var error = (ResponseFactsReader.Read(refused.Body).Error ?? UpstreamError.Untold).With(refused.Status, refused.RetryAfter);
        var isRefusal = refused.Status is >= 400 and < 500 and not StatusCodes.Status426UpgradeRequired;
        return isRefusal || error.Kind != UpstreamErrorKind.Other
            ? new RecoverySignal(SignalKind.Rejected, error) { Raw = ErrorEvents.ErrorFrame(Errors.HandshakeRefused(error, refused.Status), streamId) }
            : new RecoverySignal(SignalKind.Unreachable, error);
    }
}

using Proxy.Accounts.Contracts;
using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>What a caller is told when no account was given.</summary>
internal static class Refusals
{
    /// <summary>The error for a refusal; null stands for an accounts service that does not answer.</summary>
    public static ApiError Explain(AdmissionRefusal? refusal, string? model, DateTimeOffset now) => refusal?.Reason switch
    {
        null => Errors.ServiceUnavailable("accounts"),
        RefusalReason.UnknownKey => Errors.InvalidKey,
        RefusalReason.ModelNotAllowed => Errors.ModelNotAllowed(model),
        RefusalReason.NoAccounts or RefusalReason.NoOther => Errors.NoAccounts,
        RefusalReason.ModelNotServed => Errors.ModelNotServed(model),
        RefusalReason.NoWebSockets => Errors.UpgradeRequired,
        RefusalReason.OwnerGone or RefusalReason.OwnerCooling => Errors.OwnerUnavailable,
        RefusalReason.AllCooling => Errors.PoolExhausted(refusal.Until, now),
        RefusalReason.AtCapacity => Errors.AtCapacity,
        RefusalReason.Recovering => Errors.Recovering,
        _ => throw new ArgumentOutOfRangeException(nameof(refusal), refusal!.Reason, "Unknown refusal."),
    };
}

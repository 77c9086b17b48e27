using Proxy.Accounts.Contracts;
using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Recovery;

/// <summary>What a caller is told when no account was given.</summary>
internal static class Refusals
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// How long to wait before asking again, where accounts cool down that are back in the time that is left; null where there is nothing to wait for.
    /// An administrator may end a cool-down earlier, so no wait is long.
    /// </summary>
    public static TimeSpan? WaitOf(AdmissionRefusal? refusal, TimeSpan left, DateTimeOffset now) =>
        refusal is { Reason: RefusalReason.AllCooling or RefusalReason.OwnerCooling, Until: { } until } && until - now <= left && left > ShortestPause
            ? TimeSpan.FromTicks(Math.Clamp((until - now + ShortestPause).Ticks, ShortestPause.Ticks, Math.Min(left.Ticks, LongestPause.Ticks)))
            : null;

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
        RefusalReason.AllCooling => Errors.Exhausted(refusal.Until, refusal.OfModel ? model : null, now),
        RefusalReason.AtCapacity => Errors.AtCapacity,
        RefusalReason.Recovering => Errors.Recovering,
        _ => throw new ArgumentOutOfRangeException(nameof(refusal), refusal!.Reason, "Unknown refusal."),
    };
}

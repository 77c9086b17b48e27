using Proxy.Accounts.Contracts;
using StackExchange.Redis;

namespace Proxy.Accounts.Selection;

/// <summary>The keys of slots in Redis. All share the tag <c>{pool}</c>, so that one script may touch them in a cluster.</summary>
internal static class SlotKeys
{
    private const string Prefix = "accounts:{pool}:";
    private const string SlotsPrefix = Prefix + "slots:";
    private const string WaitingPrefix = Prefix + "waiting:";

    public static readonly RedisKey Generation = Prefix + "generation";
    public static readonly RedisKey Leases = Prefix + "leases";
    public static readonly RedisKey Reservations = Prefix + "reservations";
    public static readonly RedisKey Served = Prefix + "served";

    /// <summary>After Redis was emptied, how long no slot is given: every edge renews within it.</summary>
    public static readonly TimeSpan RecoveryWindow = TimeSpan.FromSeconds(AccountsRoutes.RenewIntervalSeconds * 2);

    /// <summary>The slots of an account.</summary>
    public static RedisKey Slots(string accountId) => SlotsPrefix + accountId;

    /// <summary>The keys that wait for an account.</summary>
    public static RedisKey Waiting(string accountId) => WaitingPrefix + accountId;

    /// <summary>accounts:{pool}:slots:&lt;account&gt;</summary>
    public static string AccountOf(string slotsKey) => slotsKey[SlotsPrefix.Length..];
}

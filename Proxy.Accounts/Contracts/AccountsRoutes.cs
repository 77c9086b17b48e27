using System.Text.Json;
using System.Text.Json.Serialization;

namespace Proxy.Accounts.Contracts;

/// <summary>The internal routes of the accounts service; all demand the internal token.</summary>
internal static class AccountsRoutes
{
    public const string CheckKey = "/internal/keys/check";
    public const string KeyGrants = "/internal/keys/grants";
    public const string Admit = "/internal/admissions";
    public const string Abandon = "/internal/admissions/abandon";
    public const string Prefetch = "/internal/leases/prefetch";
    public const string RenewPrefetched = "/internal/leases/prefetch/renew";
    public const string ReturnSlots = "/internal/leases/return";
    public const string Renew = "/internal/leases/renew";
    public const string Settle = "/internal/turns/settle";
    public const string Mark = "/internal/accounts/mark";
    public const string OpenAccounts = "/internal/accounts/open";

    /// <summary>Where the edge forwards <c>/admin/v1/*</c> to, under the caller's admin token.</summary>
    public const string Admin = "/admin/v1";

    /// <summary>The header in which the edge says from which address an admin request has come to it.</summary>
    public const string AdminCaller = "x-continuity-caller";

    /// <summary>The key id of callers without a key, where those are let in.</summary>
    public const string Anonymous = "anonymous";

    public const int RenewIntervalSeconds = 1;
    public const int MaxTurns = 1000;
}

/// <summary>JSON of the contracts, without reflection.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CheckKeyRequest))]
[JsonSerializable(typeof(CheckedKey))]
[JsonSerializable(typeof(KeyGrantsRequest))]
[JsonSerializable(typeof(KeyGrantsResponse))]
[JsonSerializable(typeof(AdmissionRequest))]
[JsonSerializable(typeof(AdmissionResponse))]
[JsonSerializable(typeof(AbandonRequest))]
[JsonSerializable(typeof(RenewRequest))]
[JsonSerializable(typeof(RenewResponse))]
[JsonSerializable(typeof(PrefetchRequest))]
[JsonSerializable(typeof(PrefetchResponse))]
[JsonSerializable(typeof(RenewPrefetchedRequest))]
[JsonSerializable(typeof(RenewPrefetchedResponse))]
[JsonSerializable(typeof(ReturnSlotsRequest))]
[JsonSerializable(typeof(SettleRequest))]
[JsonSerializable(typeof(MarkRequest))]
[JsonSerializable(typeof(OpenAccountsResponse))]
internal sealed partial class AccountsJson : JsonSerializerContext;

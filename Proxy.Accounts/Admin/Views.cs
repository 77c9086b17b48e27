using System.Text.Json;
using System.Text.Json.Serialization;
using Proxy.Accounts.Accounts;

namespace Proxy.Accounts.Admin;

/// <summary>A list as the OpenAI API writes lists.</summary>
internal sealed record ListView<T>(IReadOnlyList<T> Data)
{
    public string Object => "list";
}

/// <summary>An account as the admin API shows it: without its credential.</summary>
internal sealed record AccountView(
    Guid Id, string Name, string BaseUrl, string Domain, string CredentialKind, bool WebSockets, bool Lanes, int Priority, int Weight,
    int MaxConcurrentTurns, IReadOnlyList<string> Models, string State, DateTimeOffset? CoolingUntil, string? CoolingReason,
    IReadOnlyDictionary<string, DateTimeOffset>? CoolingModels = null, DateTimeOffset? WebSocketsRefusedUntil = null)
{
    public static AccountView Of(Account account, DateTimeOffset now) => new(
        account.Id, account.Name, account.BaseUrl, account.Domain, AccountStore.Name(account.CredentialKind), account.WebSockets, account.Lanes,
        account.Priority, account.Weight, account.MaxConcurrentTurns, account.Models,
        account.CoolingAt(now) is not null && account.State == AccountState.Active ? "cooling" : AccountStore.Name(account.State),
        account.CoolingAt(now), account.CoolingAt(now) is null ? null : account.CoolingReason,
        account.CoolingModels.Any(model => model.Value > now) ? account.CoolingModels.Where(model => model.Value > now).ToDictionary() : null,
        account.SpeaksWebSocketsAt(now) ? null : account.WebSocketsRefusedUntil > now ? account.WebSocketsRefusedUntil : null);
}

/// <summary>A key as the admin API shows it.</summary>
/// <param name="Key">The key in clear: in the answer that made it, and never again.</param>
internal sealed record ApiKeyView(
    Guid Id, string Name, string Hint, IReadOnlyList<string> Models, IReadOnlyList<string> Accounts, IReadOnlyList<KeyLimit> Limits,
    DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt, string? Key)
{
    public static ApiKeyView Of(ApiKey key, string? text = null) =>
        new(key.Id, key.Name, key.Hint, key.Models, key.Accounts, key.Limits, key.ExpiresAt, key.RevokedAt, text);
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ListView<AccountView>))]
[JsonSerializable(typeof(ListView<ApiKeyView>))]
[JsonSerializable(typeof(AccountDraft))]
[JsonSerializable(typeof(ApiKeyDraft))]
[JsonSerializable(typeof(SeedDocument))]
internal sealed partial class AdminJson : JsonSerializerContext;

using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using ServiceDefaults.Security;

namespace Proxy.Accounts.Tests;

/// <summary>Examples.</summary>
internal static class Some
{
    public static readonly DateTimeOffset Now = new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero);

    public static Account Account(string name, string? domain = null) => new(
        Guid.CreateVersion7(), name, "https://upstream.test/v1", domain ?? name, CredentialKind.Bearer, new Secret("sk-upstream"), WebSockets: true, Lanes: false,
        Priority: 0, Weight: 1, MaxConcurrentTurns: 8, Models: ["*"], AccountState.Active, CoolingUntil: null, CoolingReason: null);

    public static ApiKey Key(string name = "team") => new(Guid.CreateVersion7(), name, "hash-" + name, "cp-...", ["*"], ["*"], [], ExpiresAt: null, RevokedAt: null);

    public static AdmissionRequest Request(string keyId = AccountsRoutes.Anonymous) => new(
        Guid.CreateVersion7(), AdmissionPurpose.Turn, keyId, "gpt-5", null, null, null, NeedsWebSockets: false, 0);
}

using Proxy.Continuity.Contracts;

namespace Proxy.Continuity.Tests;

/// <summary>Examples.</summary>
internal static class Some
{
    public static OwnerRecord Owner(string keyId = "key-1", string accountId = "account-1") =>
        new(keyId, accountId, "domain-1", "thread-1", Stored: true, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

    public static RequestLogRow Row(string? responseId = null, string keyId = "key-1", string status = TurnStatus.Success, DateTimeOffset? at = null) => new(
        Guid.CreateVersion7(), at ?? TimeProvider.System.GetUtcNow(), responseId, OwnedKinds.Response, keyId, "thread-1", "account-1", "domain-1",
        "http_stream", "m", status, 200, null, Stored: true, 1, null, 2, null, 3, UsageEstimated: false, 4.5, 6.5, "edge-0", null, null);
}

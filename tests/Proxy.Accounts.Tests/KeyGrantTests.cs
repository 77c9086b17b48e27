using System.Net;
using System.Net.Http.Json;
using Proxy.Accounts.Contracts;

namespace Proxy.Accounts.Tests;

public sealed class KeyGrantTests : StoresTest
{
    [Fact]
    public async Task A_key_that_is_revoked_or_has_expired_has_no_grant()
    {
        await using var host = await AccountsHost.StartAsync(Stores, """
            {"apiKeys":[{"name":"one","key":"cp-one-0123456789abcdef","models":["gpt-*"],"accounts":["a"]},
                        {"name":"old","key":"cp-old-0123456789abcdef","expiresAt":"2020-01-01T00:00:00Z"}]}
            """);
        var keys = (await host.AdminAsync(HttpMethod.Get, "api-keys")).Body.GetProperty("data").EnumerateArray()
            .ToDictionary(key => key.GetProperty("name").GetString()!, key => key.GetProperty("id").GetGuid());
        string[] ids = [keys["one"].ToString("N"), keys["old"].ToString("N"), "nobody"];

        var grant = Assert.Single(await AskAsync(host, ids));
        Assert.Equal(ids[0], grant.KeyId);
        Assert.True(grant.Covers("a", "gpt-5"));
        Assert.True(grant.Covers(account: null, model: null));
        Assert.False(grant.Covers("b", "gpt-5"));
        Assert.False(grant.Covers("a", "o3"));

        await host.AdminAsync(HttpMethod.Delete, $"api-keys/{keys["one"]}");
        Assert.Empty(await AskAsync(host, ids));
    }

    private static async Task<IReadOnlyList<KeyGrant>> AskAsync(AccountsHost host, IReadOnlyList<string> ids)
    {
        using var response = await host.Internal.PostAsJsonAsync(AccountsRoutes.KeyGrants, new KeyGrantsRequest(ids), AccountsJson.Default.KeyGrantsRequest);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync(AccountsJson.Default.KeyGrantsResponse))!.Grants;
    }
}

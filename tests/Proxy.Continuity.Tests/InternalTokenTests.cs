using System.Net;
using System.Net.Http.Json;
using Proxy.Continuity.Contracts;
using ServiceDefaults.Http;

namespace Proxy.Continuity.Tests;

public sealed class InternalTokenTests : StoresTest
{
    [Theory]
    [InlineData(ContinuityRoutes.Resolve)]
    [InlineData(ContinuityRoutes.Publish)]
    [InlineData(ContinuityRoutes.PublishMany)]
    [InlineData(ContinuityRoutes.RejectAnchor)]
    [InlineData(ContinuityRoutes.RequestLogs)]
    [InlineData("/INTERNAL/owners/resolve")]
    [InlineData("/internal/what-someone-adds-later")]
    public async Task Everything_internal_demands_the_token(string route)
    {
        using var stranger = new HttpClient { BaseAddress = Host.Http.BaseAddress };
        using var none = await stranger.PostAsJsonAsync(route, new { });
        stranger.DefaultRequestHeaders.Add(InternalToken.Header, "another-token-than-that");
        using var wrong = await stranger.PostAsJsonAsync(route, new { });

        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), (none.StatusCode, wrong.StatusCode));
        Assert.Contains("invalid_internal_token", await wrong.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}

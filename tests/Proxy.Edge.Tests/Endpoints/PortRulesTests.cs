using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Proxy.Edge.Endpoints;
using Proxy.Edge.Tests.Fixture;
using ServiceDefaults.Http;

namespace Proxy.Edge.Tests.Endpoints;

public sealed class PortRulesTests
{
    [Theory]
    [InlineData("/internal/drain", false, false, "unknown_url")]
    [InlineData("/internal/drain", false, true, "unknown_url")]
    [InlineData("/INTERNAL/drain", false, true, "unknown_url")]
    [InlineData("/internal/drain", true, false, null)]
    [InlineData("/admin/v1/accounts", false, false, "admin_not_here")]
    [InlineData("/Admin/V1/accounts", false, false, "admin_not_here")]
    [InlineData("/admin/v1/openapi.json", false, true, null)]
    [InlineData("/admin/v1/accounts", true, false, null)]
    [InlineData("/v1/responses", false, false, null)]
    [InlineData("/v1/responses", true, true, "unknown_url")]
    [InlineData("/", true, true, "unknown_url")]
    [InlineData("/health", true, false, null)]
    [InlineData("/alive", false, false, null)]
    public void Each_port_serves_its_own(string path, bool isInternalPort, bool isAdmin, string? code) =>
        Assert.Equal(code, PortRules.Check(new PathString(path), isInternalPort, isAdmin)?.Code);

    [Fact]
    public async Task Internal_routes_are_on_a_port_of_their_own()
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Http.DefaultRequestHeaders.Add(InternalToken.Header, FakeService.Token);
        Assert.Equal(404, await StatusAsync(edge.Http, "/internal/sessions/probe"));
        Assert.Equal(404, await StatusAsync(edge.Http, "/internal/drain"));
        Assert.Equal(202, await StatusAsync(edge.Http, edge.Origin + "/internal/drain"));
        edge.Http.DefaultRequestHeaders.Remove(InternalToken.Header);
        Assert.Equal(401, await StatusAsync(edge.Http, edge.Origin + "/internal/sessions/probe"));
        Assert.Equal(404, await StatusAsync(edge.Http, edge.Origin + "/v1/responses"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await edge.Http.GetAsync(edge.Origin + "/health")).StatusCode);
    }

    [Theory]
    [InlineData("false", 403, 418)]
    [InlineData("true", 418, 418)]
    public async Task The_admin_api_is_not_for_callers_from_elsewhere(string fromAnywhere, int atPublic, int atInternal)
    {
        await using var edge = await RunningEdge.StartAsync(null, $"Edge:AdminFromAnywhere={fromAnywhere}");
        edge.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "admin-token");
        Assert.Equal(418, (int)(await edge.Http.GetAsync("/admin/v1/accounts")).StatusCode);
        // As behind a proxy on this machine.
        edge.Http.DefaultRequestHeaders.Add("X-Forwarded-For", "10.0.0.1");
        Assert.Equal(atPublic, (int)(await edge.Http.GetAsync("/admin/v1/accounts")).StatusCode);
        Assert.Equal(atInternal, (int)(await edge.Http.GetAsync(edge.Origin + "/admin/v1/accounts")).StatusCode);
    }

    [Fact]
    public async Task An_edge_with_an_address_for_others_has_a_port_for_them()
    {
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => RunningEdge.StartAsync(null, "Edge:InternalPort=0"));
        Assert.Contains("Edge:InternalPort", refused.Message, StringComparison.Ordinal);
    }

    private static async Task<int> StatusAsync(HttpClient http, string path)
    {
        using var response = await http.PostAsync(path, null);
        return (int)response.StatusCode;
    }
}

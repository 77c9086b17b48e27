using Microsoft.Extensions.DependencyInjection;
using Proxy.Edge.Clients;
using Proxy.Edge.Sessions;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Clients;

public sealed class ServiceClientTests
{
    // HttpClient ends every call after 100 s unless it is told otherwise, and a turn may wait for its slot for ten minutes.
    [Theory]
    [InlineData(nameof(AccountsClient))]
    [InlineData(nameof(ContinuityClient))]
    [InlineData(nameof(SessionHolders))]
    public async Task A_call_to_another_service_has_its_own_limit_only(string client)
    {
        await using var edge = await RunningEdge.StartAsync();
        using var http = edge.Services.GetRequiredService<IHttpClientFactory>().CreateClient(client);
        Assert.NotNull(http.BaseAddress);
        Assert.Equal(Timeout.InfiniteTimeSpan, http.Timeout);
    }
}

using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ServiceDefaults.Http;

/// <summary>HTTP clients of one service for another: address by service discovery, internal token, bounded, kept alive.</summary>
public static class ServiceClients
{
    /// <summary>
    /// Adds a typed client of <paramref name="service"/>. Each client bounds its own calls; nothing is retried here,
    /// since only the caller knows which of its calls may run twice.
    /// </summary>
    public static IHttpClientBuilder AddServiceClient<TClient>(this IServiceCollection services, string service) where TClient : class =>
        services.AddHttpClient<TClient>((provider, client) =>
            {
                client.BaseAddress = AddressOf(provider.GetRequiredService<IConfiguration>(), service);
                client.DefaultRequestHeaders.Add(InternalToken.Header, provider.GetRequiredService<IOptions<InternalOptions>>().Value.Token);
                // A turn may wait for its slot longer than any limit for all calls would be.
                client.Timeout = Timeout.InfiniteTimeSpan;
            })
            // One client for the life of the process: the pool inside the handler renews its connections by itself.
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler
            {
                UseCookies = false,
                AllowAutoRedirect = false,
                AutomaticDecompression = DecompressionMethods.None,
                ConnectTimeout = TimeSpan.FromSeconds(2),
                PooledConnectionLifetime = TimeSpan.FromMinutes(5),
                UseProxy = false,
            })
            // Four log events a call, and scopes, for what the callers log themselves when it matters.
            .RemoveAllLoggers()
            .SetHandlerLifetime(Timeout.InfiniteTimeSpan);

    /// <summary><c>services:{name}:http:0</c> as Aspire's <c>WithReference</c> sets it; without it the name is left to DNS.</summary>
    public static Uri AddressOf(IConfiguration configuration, string service) =>
        new(configuration[$"services:{service}:http:0"] ?? configuration[$"services:{service}:https:0"] ?? $"http://{service}");
}

using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ServiceDefaults.Http;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>A service next to the edge, over a real socket: it speaks the contract, does what the test says, and records what it got.</summary>
internal abstract class FakeService : IAsyncDisposable
{
    public const string Token = "internal-token-of-the-tests";

    private readonly WebApplication _app;

    protected FakeService()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMilliseconds(100));
        _app = builder.Build();
    }

    public string Address { get; private set; } = "";

    public async Task StartAsync()
    {
        Map(_app);
        await _app.StartAsync();
        Address = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    protected abstract void Map(WebApplication app);

    /// <summary>An internal route: 401 without the token, else what the handler writes.</summary>
    protected static void MapInternal<TRequest>(WebApplication app, string route, JsonTypeInfo<TRequest> type, Func<HttpContext, TRequest, Task> handle) =>
        app.MapPost(route, async context =>
        {
            if (context.Request.Headers[InternalToken.Header] != Token)
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                return;
            }
            await handle(context, (await context.Request.ReadFromJsonAsync(type))!);
        });

    protected static Task WriteAsync<T>(HttpContext context, T? value, JsonTypeInfo<T> type)
    {
        if (value is not null)
        {
            return context.Response.WriteAsJsonAsync(value, type);
        }
        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        return Task.CompletedTask;
    }
}

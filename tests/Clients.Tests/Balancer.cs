using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Testing;
using Yarp.ReverseProxy.Forwarder;

namespace Clients.Tests;

/// <summary>A load balancer: sends each request to the next of the edges that say they are ready.</summary>
public sealed class Balancer : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private readonly RollingSystem _system;
    private readonly int[] _running = new int[RollingSystem.Edges];
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false });
    private readonly WebApplication _app;
    private readonly IHttpForwarder _forwarder;
    private readonly ConcurrentQueue<string> _faults = new();

    private Balancer(RollingSystem system)
    {
        _system = system;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddHttpForwarder();
        // What still runs when a test has failed is not worth waiting for.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMilliseconds(100));
        _app = builder.Build();
        _forwarder = _app.Services.GetRequiredService<IHttpForwarder>();
        _app.Run(HandleAsync);
    }

    /// <summary>What clients are configured with.</summary>
    public Uri BaseAddress => new(new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()), "v1");

    /// <summary>Requests that an edge has not answered, or not to the end.</summary>
    public IReadOnlyCollection<string> Faults => _faults;

    /// <summary>How many requests an edge has that have not ended.</summary>
    public int Running(int edge) => Volatile.Read(ref _running[edge]);

    /// <summary>Starts it, when all edges are ready.</summary>
    public static async Task<Balancer> StartAsync(RollingSystem system)
    {
        var balancer = new Balancer(system);
        await balancer._app.StartAsync();
        await Eventually.TrueAsync(() => Enumerable.Range(0, RollingSystem.Edges).All(system.Ready.IsReady), TimeSpan.FromSeconds(40));
        return balancer;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        var edge = await PickAsync(context.RequestAborted);
        Interlocked.Increment(ref _running[edge]);
        try
        {
            var fault = await _forwarder.SendAsync(context, _system.AddressOf(edge).ToString(), _http, ForwarderRequestConfig.Empty);
            if (fault != ForwarderError.None)
            {
                _faults.Enqueue($"edge-{edge}, {(_system.Ready.IsReady(edge) ? "ready" : "not ready")} by now: {fault}, {context.GetForwarderErrorFeature()?.Exception?.GetBaseException().Message}");
            }
        }
        finally
        {
            Interlocked.Decrement(ref _running[edge]);
        }
    }

    // The next that is ready; who comes while none is waits for one.
    private async Task<int> PickAsync(CancellationToken cancellationToken)
    {
        int edge;
        while (!_system.Ready.TryPick(out edge))
        {
            await Task.Delay(Interval, TimeProvider.System, cancellationToken);
        }
        return edge;
    }
}

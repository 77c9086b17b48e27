using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Benchmarks.Hop;

/// <summary>The yardstick: a hop that does nothing but forward, by the same library and on the same server as the edge. The mode <c>yarp URL UPSTREAM</c>.</summary>
internal static class YarpHop
{
    private static readonly ForwarderRequestConfig Request = new() { ActivityTimeout = TimeSpan.FromMinutes(10) };

    /// <summary>Serves until the process is ended.</summary>
    public static async Task RunAsync(string address, string upstream)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().UseUrls(address);
        builder.Services.AddHttpForwarder();
        await using var application = builder.Build();
        using var client = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
        });
        var forwarder = application.Services.GetRequiredService<IHttpForwarder>();
        application.Run(async context =>
        {
            var error = await forwarder.SendAsync(context, upstream, client, Request);
            if (error == ForwarderError.Request)
            {
                context.Response.StatusCode = StatusCodes.Status502BadGateway;
            }
        });
        await application.RunAsync();
    }
}

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using ServiceDefaults.Health;
using ServiceDefaults.Http;
using ServiceDefaults.Telemetry;

namespace ServiceDefaults.Hosting;

/// <summary>What every service has: one clock, telemetry, health, and the internal token.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>Adds clock, OpenTelemetry, health checks and the internal token to a service.</summary>
    public static WebApplicationBuilder AddServiceDefaults(this WebApplicationBuilder builder)
    {
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.AddTelemetry();
        builder.Services.AddServiceHealth();
        builder.AddInternalToken();
        // A store that is down must not take a whole service with it: background loops log and go on by themselves.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(15));
        builder.WebHost.ConfigureKestrel(options => options.AddServerHeader = false);
        return builder;
    }
}

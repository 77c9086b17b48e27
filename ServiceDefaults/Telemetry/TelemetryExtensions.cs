using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using ServiceDefaults.Health;

namespace ServiceDefaults.Telemetry;

/// <summary>OpenTelemetry for logs, metrics and traces, exported where <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> says.</summary>
public static class TelemetryExtensions
{
    /// <summary>Every source and meter of ours starts with this; Npgsql and the AI conventions bring their own.</summary>
    public const string OwnPrefix = "Continuity.";

    internal static void AddTelemetry(this WebApplicationBuilder builder)
    {
        if (string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            // Nobody listens, so no span is made and no measurement kept; the host would make one for every request while it may log one.
            builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = [new("Logging:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics", "None")] });
            return;
        }
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });
        builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation()
                .AddMeter(OwnPrefix + "*", "Npgsql"))
            .WithTracing(tracing => tracing
                .AddSource(OwnPrefix + "*", "Npgsql")
                .AddAspNetCoreInstrumentation(options => options.Filter = context => !HealthEndpoints.Serves(context.Request.Path))
                .AddHttpClientInstrumentation())
            .UseOtlpExporter();
    }
}

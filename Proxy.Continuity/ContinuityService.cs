using Proxy.Continuity.Contracts;
using Proxy.Continuity.Owners;
using Proxy.Continuity.RequestLogs;
using Proxy.Continuity.Sessions;
using ServiceDefaults.Data;
using ServiceDefaults.Health;
using ServiceDefaults.Hosting;
using ServiceDefaults.Http;

namespace Proxy.Continuity;

/// <summary>The service's parts and routes.</summary>
internal static class ContinuityService
{
    public static WebApplicationBuilder AddContinuity(this WebApplicationBuilder builder)
    {
        builder.AddServiceDefaults();
        builder.AddNpgsqlDataSource("continuitydb");
        builder.AddFailFastRedis("redis");
        builder.Services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, ContinuityJson.Default));
        builder.Services.AddOptions<RequestLogOptions>().BindConfiguration(RequestLogOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services
            .AddSingleton<ContinuityMetrics>()
            .AddSingleton<OwnerAliases>().AddSingleton<OwnerPublishing>()
            .AddSingleton<OwnerHistory>()
            .AddSingleton<LastingOwners>()
            .AddSingleton<OwnerLookup>()
            .AddSingleton<RejectedAnchors>()
            .AddSingleton<SessionRecords>()
            .AddSingleton<RequestLogIntake>()
            .AddHostedService<RequestLogPartitions>();
        return builder;
    }

    public static WebApplication MapContinuity(this WebApplication app)
    {
        app.UseInternalToken();
        app.MapServiceHealth();
        app.MapOwners();
        app.MapSessions();
        app.MapRequestLogs();
        return app;
    }
}

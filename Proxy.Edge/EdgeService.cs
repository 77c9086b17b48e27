using System.Text;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.Extensions.Options;
using Proxy.Edge.Callers;
using Proxy.Edge.Clients;
using Proxy.Edge.Downstream;
using Proxy.Edge.Endpoints;
using Proxy.Edge.Http;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Owners;
using Proxy.Edge.Passthrough;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Routing;
using Proxy.Edge.Sessions;
using Proxy.Edge.Spool;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;
using ServiceDefaults.Health;
using ServiceDefaults.Hosting;
using ServiceDefaults.Http;

namespace Proxy.Edge;

/// <summary>The service's parts and routes.</summary>
internal static class EdgeService
{
    // Owners, scopes, callers and catalogues: about 100 bytes each.
    private const int CacheEntries = 200_000;

    private const string DrainPath = "/internal/drain";

    // From the end of the drain to that of the process: the last rows are shipped.
    private static readonly TimeSpan AfterDrain = TimeSpan.FromSeconds(5);

    public static WebApplicationBuilder AddEdge(this WebApplicationBuilder builder)
    {
        builder.AddServiceDefaults();
        builder.AddInternalPort();
        builder.Services.AddOptions<EdgeOptions>().BindConfiguration(EdgeOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<ContinuityOptions>().BindConfiguration(ContinuityOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<RecoveryOptions>().BindConfiguration(RecoveryOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<SessionsOptions>().BindConfiguration(SessionsOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<DrainOptions>().BindConfiguration(DrainOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddHealthChecks().AddCheck<Drain>("drain", tags: [HealthEndpoints.Ready]).AddCheck<SpoolHealth>("spool", tags: [HealthEndpoints.Ready]);
        builder.Services.AddOptions<HostOptions>().Configure<IOptions<DrainOptions>>((host, drain) => host.ShutdownTimeout = TimeSpan.FromSeconds(drain.Value.Seconds) + AfterDrain);
        // Bodies have limits of their own, each with an answer that clients understand.
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.ResponseHeaderEncodingSelector = _ => Encoding.UTF8;
        });
        builder.Services.AddMemoryCache(cache => cache.SizeLimit = CacheEntries);
        builder.Services.AddHttpForwarder();
        builder.Services.AddServiceClient<ContinuityClient>("continuity");
        builder.Services.AddServiceClient<AccountsClient>("accounts");
        builder.Services.AddServiceClient<SessionHolders>("edge");
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, EdgeJson.Default));

        builder.Services
            .AddSingleton<TurnSpool>()
            .AddSingleton<SpoolMetrics>()
            .AddSingleton<QuarantinedRows>()
            .AddSingleton<PublicationBatches>()
            .AddSingleton<OwnerDirectory>()
            .AddSingleton<RejectedAnchors>()
            .AddSingleton<UpstreamHandlers>()
            .AddSingleton<UpstreamConnector>()
            .AddSingleton<CallerAuthentication>()
            .AddSingleton<MemoryBudget>()
            .AddSingleton<RequestBodyReader>()
            .AddSingleton<TurnTelemetry>()
            .AddSingleton<TurnJournal>()
            .AddSingleton<OwnerResolution>()
            .AddSingleton<TurnAdmission>()
            .AddSingleton<TurnRunner>()
            .AddSingleton<TurnEvents>()
            .AddSingleton<TurnRecovery>()
            .AddSingleton<SseRelay>()
            .AddSingleton<WholeAnswerRelay>()
            .AddSingleton<PlainAttempts>()
            .AddSingleton<HttpWays>()
            .AddSingleton<HttpTurns>()
            .AddSingleton<TurnDeadlines>()
            .AddSingleton<RelayServices>()
            .AddSingleton<UpstreamSockets>()
            .AddSingleton<SocketServices>()
            .AddSingleton<SessionMetrics>()
            .AddSingleton<SessionRegistry>()
            .AddSingleton<SocketRoom>()
            .AddSingleton<SessionSockets>()
            .AddSingleton<SessionTurns>()
            .AddSingleton<SessionPlaces>()
            .AddSingleton<SessionForwarding>()
            .AddSingleton(provider => new ForwardReplayGuard(provider.GetRequiredService<TimeProvider>()))
            .AddSingleton<ForwardedTurnEndpoint>()
            .AddSingleton<ResponsesEndpoint>()
            .AddSingleton<ResponsesSocketEndpoint>()
            .AddSingleton<ModelCatalogue>()
            .AddSingleton<PassthroughEndpoint>()
            .AddSingleton<AdminForwarding>();

        // Stopped in reverse: leases are renewed and owners published until the last row has left the spool.
        builder.Services
            .AddHostedSingleton<KeyWatch>().AddHostedSingleton<Drain>().AddHostedSingleton<LeaseKeeper>().AddHostedSingleton<SlotPrefetcher>().AddHostedSingleton<OwnerPublications>().AddHostedSingleton<AccountMarks>().AddHostedSingleton<SpoolShipper>()
            .AddHostedSingleton<SessionLeases>().AddHostedSingleton<SessionSweep>();
        return builder;
    }

    public static WebApplication MapEdge(this WebApplication app)
    {
        app.UseExceptionHandler(handler => handler.Run(AnswerFaultAsync));
        app.UsePortRules();
        app.UseInternalToken(except: SessionRoutes.Turns);
        app.UseWebSockets();
        app.MapServiceHealth();
        app.MapPost(DrainPath, (Drain drain) =>
        {
            drain.Begin();
            return TypedResults.Accepted((string?)null);
        });
        app.MapPost(SessionRoutes.Turns, (HttpContext context, ForwardedTurnEndpoint turns) => turns.HandleAsync(context));
        app.MapPost(SessionRoutes.Probe, (ProbeRequest probe, ForwardedTurnEndpoint turns) => turns.Probe(probe));
        EdgeEndpoints.MapEdge(app);
        return app;
    }

    private static IServiceCollection AddHostedSingleton<T>(this IServiceCollection services) where T : class, IHostedService =>
        services.AddSingleton<T>().AddHostedService(provider => provider.GetRequiredService<T>());

    private static Task AnswerFaultAsync(HttpContext context) =>
        (context.Features.Get<IExceptionHandlerFeature>()?.Error is BadHttpRequestException bad
            ? new ApiError(bad.StatusCode, "invalid_request", "The request is not valid HTTP.")
            : Errors.InternalFault).WriteAsync(context);
}

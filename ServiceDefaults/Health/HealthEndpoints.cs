using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ServiceDefaults.Health;

/// <summary>
/// <c>/health</c> answers whether this instance should get work, <c>/alive</c> whether it runs at all.
/// A store outage degrades answers; it must not take every instance out of rotation at once,
/// so checks of stores are reported under <c>/health/stores</c> and do not decide.
/// </summary>
public static class HealthEndpoints
{
    /// <summary>The tag of checks that decide on readiness.</summary>
    public const string Ready = "ready";

    private const string ReadyPath = "/health";
    private const string AlivePath = "/alive";

    /// <summary>True for the paths of health.</summary>
    public static bool Serves(PathString path) => path.StartsWithSegments(ReadyPath) || path.StartsWithSegments(AlivePath);

    internal static IServiceCollection AddServiceHealth(this IServiceCollection services)
    {
        services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), [Ready]);
        return services;
    }

    /// <summary>Maps the three health routes; none of them needs a token or says more than a status.</summary>
    public static void MapServiceHealth(this IEndpointRouteBuilder app)
    {
        app.MapHealthChecks(ReadyPath, new HealthCheckOptions { Predicate = check => check.Tags.Contains(Ready) });
        app.MapHealthChecks(ReadyPath + "/stores", new HealthCheckOptions { Predicate = check => !check.Tags.Contains(Ready) });
        app.MapHealthChecks(AlivePath, new HealthCheckOptions { Predicate = _ => false });
    }
}

using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Proxy.Edge.Spool;

/// <summary>An edge whose spool is full refuses every new turn, so it should get none.</summary>
internal sealed class SpoolHealth(TurnSpool spool) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(spool.IsFull ? HealthCheckResult.Unhealthy("The spool is full: turns that have ended cannot be logged.") : HealthCheckResult.Healthy());
}

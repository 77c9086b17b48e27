using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Proxy.Edge.Lifecycle;

/// <summary>
/// The edge's way out, begun by a signal or by <c>POST /internal/drain</c>: it is not ready any more, sockets say goodbye when their turns have
/// ended, and turns that have not ended by one common deadline are ended by the edge.
/// </summary>
internal sealed partial class Drain : IHealthCheck, IDisposable
{
    private readonly CancellationTokenSource _begun = new();
    private readonly CancellationTokenSource _over;
    private readonly TimeSpan _limit;
    private readonly ILogger<Drain> _logger;
    private readonly CancellationTokenRegistration _stopping;

    public Drain(IHostApplicationLifetime lifetime, IOptions<DrainOptions> options, TimeProvider time, ILogger<Drain> logger)
    {
        (_limit, _logger) = (TimeSpan.FromSeconds(options.Value.Seconds), logger);
        _over = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _stopping = lifetime.ApplicationStopping.Register(Begin);
    }

    /// <summary>Canceled when it begins.</summary>
    public CancellationToken Begun => _begun.Token;

    /// <summary>Canceled when what still runs must end.</summary>
    public CancellationToken Over => _over.Token;

    /// <summary>Begins; calling it again changes nothing.</summary>
    public void Begin()
    {
        if (_begun.IsCancellationRequested)
        {
            return;
        }
        LogBegun(_limit.TotalSeconds);
        _over.CancelAfter(_limit);
        _begun.Cancel();
    }

    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Begun.IsCancellationRequested ? HealthCheckResult.Unhealthy("Draining.") : HealthCheckResult.Healthy());

    public void Dispose()
    {
        _stopping.Dispose();
        _begun.Dispose();
        _over.Dispose();
    }

    [LoggerMessage(450, LogLevel.Information, "Draining: running turns get {Seconds} s to end")]
    private partial void LogBegun(double seconds);
}

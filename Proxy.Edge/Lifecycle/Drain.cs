using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Proxy.Edge.Lifecycle;

/// <summary>
/// The edge's way out, begun by a signal or by <c>POST /internal/drain</c>: it is not ready any more, sockets say goodbye when their turns have
/// ended, and turns that have not ended by one common deadline are ended by the edge.
/// </summary>
internal sealed partial class Drain : IHealthCheck, IHostedLifecycleService, IDisposable
{
    private readonly CancellationTokenSource _begun = new();
    private readonly CancellationTokenSource _noticed;
    private readonly CancellationTokenSource _over;
    private readonly TimeSpan _limit;
    private readonly TimeSpan _notice;
    private readonly TimeProvider _time;
    private readonly ILogger<Drain> _logger;

    public Drain(IOptions<DrainOptions> options, TimeProvider time, ILogger<Drain> logger)
    {
        (_limit, _notice) = (TimeSpan.FromSeconds(options.Value.Seconds), TimeSpan.FromSeconds(options.Value.NoticeSeconds));
        (_time, _logger) = (time, logger);
        _noticed = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _over = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
    }

    /// <summary>Canceled when it begins.</summary>
    public CancellationToken Begun => _begun.Token;

    /// <summary>
    /// Canceled when balancers have had the time to notice. Until then clients still come, and what they have here is best left as it is: what they lost now they would
    /// build up here anew, to lose it again.
    /// </summary>
    public CancellationToken Noticed => _noticed.Token;

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
        if (_notice > TimeSpan.Zero)
        {
            _noticed.CancelAfter(_notice);
        }
        else
        {
            _noticed.Cancel();
        }
    }

    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Begun.IsCancellationRequested ? HealthCheckResult.Unhealthy("Draining.") : HealthCheckResult.Healthy());

    /// <summary>Begins, and holds the stop back until balancers have noticed: until then connections still come.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        Begin();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(Noticed, cancellationToken);
        await Task.Delay(Timeout.InfiniteTimeSpan, _time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        _begun.Dispose();
        _noticed.Dispose();
        _over.Dispose();
    }

    [LoggerMessage(450, LogLevel.Information, "Draining: running turns get {Seconds} s to end")]
    private partial void LogBegun(double seconds);
}

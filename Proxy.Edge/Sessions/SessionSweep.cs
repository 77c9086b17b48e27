using Microsoft.Extensions.Options;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Recovery;
using ServiceDefaults.Hosting;

namespace Proxy.Edge.Sessions;

/// <summary>
/// Closes sockets that have had their time, and sessions without any, whether or not turns still come. On the way out it closes what is idle at once, so that other
/// edges can claim it, and at the end all that is left.
/// </summary>
internal sealed class SessionSweep(
    SessionRegistry registry, SessionSockets sockets, SessionTurns turns, Drain drain, IOptions<SessionsOptions> options, TimeProvider time, ILogger<SessionSweep> logger) : BackgroundService
{
    private static readonly TimeSpan GoodbyeBound = TimeSpan.FromSeconds(3);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        foreach (var socket in registry.All.SelectMany(session => session.Sockets))
        {
            socket.Link.Cut(new RecoverySignal(SignalKind.Draining));
        }
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(GoodbyeBound);
        await Task.WhenAll(turns.WhenDrainedAsync(), sockets.WhenEndedAsync()).WaitAsync(bound.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await registry.CloseEmptyAsync(registry.All, bound.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SteadyLoop.RunAsync(RunAsync, time, logger, stoppingToken);

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        var interval = TimeSpan.FromSeconds(options.Value.SweepSeconds);
        while (!stoppingToken.IsCancellationRequested)
        {
            using (var due = new CancellationTokenSource(interval, time))
            using (var wake = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, due.Token, drain.Noticed.IsCancellationRequested ? CancellationToken.None : drain.Noticed))
            {
                await registry.WaitForEmptiedAsync(wake.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                foreach (var session in wake.IsCancellationRequested ? registry.All : [])
                {
                    sockets.Sweep(session, drain.Noticed.IsCancellationRequested);
                }
            }
            // Not the token: what is closed here must be given up there, too.
            await registry.CloseEmptyAsync(registry.All, CancellationToken.None);
        }
    }
}

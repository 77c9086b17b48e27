using System.Runtime.InteropServices;
using AppHost.Processes;
using Microsoft.Extensions.Hosting;

namespace AppHost.Lifecycle;

/// <summary>
/// Stops the system from its edges to its stores. The orchestrator would stop all at once and kill what is left after six seconds: an edge could not end its running turns, and
/// what it still has to log would find no service.
/// </summary>
internal sealed class OrderedStop(
    ResourceNotificationService notifications, ResourceCommandService commands, IHostApplicationLifetime lifetime,
    IReadOnlyList<IReadOnlyList<IResource>> layers, TimeSpan limit) : IHostedService
{
    // timeout(1) and some terminals deliver one request as two signals.
    private static readonly TimeSpan SameRequest = TimeSpan.FromSeconds(2);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        // Callbacks of this token hold the host's own stop back, which is what ends the orchestrator.
        _ = lifetime.ApplicationStopping.Register(() => StopAsync().GetAwaiter().GetResult());
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task StopAsync()
    {
        using var force = new CancellationTokenSource();
        using var interrupt = OnSecondSignal(PosixSignal.SIGINT, force);
        using var terminate = OnSecondSignal(PosixSignal.SIGTERM, force);
        foreach (var layer in layers)
        {
            await Task.WhenAll(layer.Select(resource => StopAsync(resource, force.Token)));
        }
    }

    /// <summary>Another signal, once the first is surely over, stops the waiting: the orchestrator then ends what is left.</summary>
    private static PosixSignalRegistration OnSecondSignal(PosixSignal signal, CancellationTokenSource force)
    {
        var began = TimeProvider.System.GetTimestamp();
        return PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            if (TimeProvider.System.GetElapsedTime(began) > SameRequest)
            {
                force.Cancel();
            }
        });
    }

    private async Task StopAsync(IResource resource, CancellationToken force)
    {
        if (!notifications.TryGetCurrentState(resource.Name, out var state) || KnownResourceStates.TerminalStates.Contains(state.Snapshot.State?.Text))
        {
            return;
        }

        if (state.Snapshot.Started() is { } process && Signals.Terminate(process) && await EndsAsync(resource, force))
        {
            return;
        }
        _ = await commands.ExecuteCommandAsync(state.ResourceId, KnownResourceCommands.StopCommand, CancellationToken.None);
    }

    private async Task<bool> EndsAsync(IResource resource, CancellationToken force)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(force);
        bound.CancelAfter(limit);
        try
        {
            _ = await notifications.WaitForResourceAsync(resource.Name, KnownResourceStates.TerminalStates, bound.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}

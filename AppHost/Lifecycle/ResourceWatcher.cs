using Aspire.Hosting.Eventing;
using Aspire.Hosting.Lifecycle;

namespace AppHost.Lifecycle;

/// <summary>Follows the states of all that this system runs, from before the first is started until the AppHost ends. The dashboard is the orchestrator's own matter.</summary>
internal abstract class ResourceWatcher(ResourceNotificationService notifications) : IDistributedApplicationEventingSubscriber, IAsyncDisposable
{
    public const string DashboardName = "aspire-dashboard";

    private readonly CancellationTokenSource _end = new();
    private Task _watching = Task.CompletedTask;

    /// <summary>Canceled when the AppHost ends.</summary>
    protected CancellationToken Ended => _end.Token;

    public Task SubscribeAsync(IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
    {
        if (executionContext.IsRunMode)
        {
            _ = eventing.Subscribe<BeforeStartEvent>((_, _) =>
            {
                _watching = WatchAsync();
                return Task.CompletedTask;
            });
        }
        return Task.CompletedTask;
    }

    public virtual async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _watching;
        _end.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>A resource has changed. Called for one change after the other; whatever takes its time is a task of its own.</summary>
    protected abstract void OnChanged(ResourceEvent change);

    /// <summary>Whether a state is one that a resource does not leave by itself.</summary>
    protected static bool IsTerminal(string? state) => state is not null && KnownResourceStates.TerminalStates.Contains(state);

    private async Task WatchAsync()
    {
        try
        {
            await foreach (var change in notifications.WatchAsync(_end.Token))
            {
                if (change.Resource is (ProjectResource or ExecutableResource or ContainerResource) and not { Name: DashboardName })
                {
                    OnChanged(change);
                }
            }
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // The AppHost ends.
        }
    }
}

using Microsoft.Extensions.Hosting;

namespace AppHost.Lifecycle;

/// <summary>
/// Ends a start that cannot succeed: a job that fails, or a service or store that keeps ending before the system was ready once. What it said last is told on standard error.
/// </summary>
internal sealed class StartFailures(
    ResourceNotificationService notifications, ResourceLoggerService loggers, IHostApplicationLifetime lifetime, RunOutcome outcome) : ResourceWatcher(notifications)
{
    private const int MostEnds = 3;
    private const int TailLines = 12;
    private static readonly TimeSpan TailLimit = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, (string? State, int Ends)> _seen = new(StringComparer.Ordinal);
    private Task _telling = Task.CompletedTask;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _telling;
    }

    protected override void OnChanged(ResourceEvent change)
    {
        var (former, ends) = _seen.GetValueOrDefault(change.ResourceId);
        var state = change.Snapshot.State?.Text;
        if (state == former || outcome.IsDecided || lifetime.ApplicationStopping.IsCancellationRequested)
        {
            return;
        }

        var ended = CrashRestarts.IsCrash(former, state);
        _seen[change.ResourceId] = (state, ends + (ended ? 1 : 0));
        if (ended && Reason(change, ends + 1) is { } reason && outcome.Fail())
        {
            _telling = TellAsync(change.Resource, reason);
        }
    }

    private static string? Reason(ResourceEvent change, int ends)
    {
        var code = change.Snapshot.ExitCode is { } exitCode ? $" with exit code {exitCode}" : "";
        return change.Resource.IsJob()
            ? change.Snapshot is { State.Text: var state, ExitCode: 0 } && state == KnownResourceStates.Finished ? null : $"{change.Resource.Name} failed{code}"
            : ends >= MostEnds ? $"{change.Resource.Name} ended{code} before it was ready, {ends} times" : null;
    }

    private async Task TellAsync(IResource resource, string reason)
    {
        var lines = await TailAsync(resource);
        Console.Error.WriteLine(lines.Count == 0 ? $"{reason}." : $"{reason}. It said last:");
        foreach (var line in lines)
        {
            Console.Error.WriteLine($"  {resource.Name} | {line}");
        }
        lifetime.StopApplication();
    }

    private async Task<IReadOnlyList<string>> TailAsync(IResource resource)
    {
        var tail = new Queue<string>();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Ended);
        limit.CancelAfter(TailLimit);
        try
        {
            await foreach (var batch in loggers.GetAllAsync(resource).WithCancellation(limit.Token))
            {
                foreach (var line in batch)
                {
                    tail.Enqueue(line.Content);
                    if (tail.Count > TailLines)
                    {
                        _ = tail.Dequeue();
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // What has come by now must do.
        }
        // Each line begins with its time; two streams do not come in their order.
        return [.. tail.Order(StringComparer.Ordinal)];
    }
}

using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AppHost.Lifecycle;

/// <summary>
/// Starts again what ends unasked: services and stores, not jobs. A stop that somebody asked for goes by <c>Stopping</c>; a crash goes from running to an end at once.
/// </summary>
internal sealed partial class CrashRestarts(
    ResourceNotificationService notifications, ResourceCommandService commands, ResourceLoggerService loggers, IHostApplicationLifetime lifetime, TimeProvider time)
    : ResourceWatcher(notifications)
{
    private readonly Dictionary<string, Life> _lives = new(StringComparer.Ordinal);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await Task.WhenAll(_lives.Values.Select(life => life.Restarting));
    }

    protected override void OnChanged(ResourceEvent change)
    {
        if (change.Resource.IsJob())
        {
            return;
        }

        if (!_lives.TryGetValue(change.ResourceId, out var life))
        {
            _lives[change.ResourceId] = life = new Life();
        }

        var former = life.State;
        life.State = change.Snapshot.State?.Text;
        if (life.State == former)
        {
            return;
        }

        if (life.State == KnownResourceStates.Running)
        {
            life.Began = time.GetTimestamp();
        }
        else if (IsCrash(former, life.State) && !lifetime.ApplicationStopping.IsCancellationRequested)
        {
            var wait = life.BackOff.Next(life.Began is { } began ? time.GetElapsedTime(began) : TimeSpan.Zero);
            LogCrashed(loggers.GetLogger(change.Resource), change.Snapshot.ExitCode, wait.TotalSeconds);
            life.Restarting = RestartAsync(change, life, wait, life.Restarting);
        }
    }

    /// <summary>Whether a change of state is an end that nobody asked for.</summary>
    internal static bool IsCrash(string? former, string? state) =>
        IsTerminal(state) && !IsTerminal(former) && former != KnownResourceStates.Stopping && former is not null;

    private async Task RestartAsync(ResourceEvent change, Life life, TimeSpan wait, Task former)
    {
        try
        {
            await former;
            await Task.Delay(wait, time, Ended);
            while (!(await commands.ExecuteCommandAsync(change.ResourceId, KnownResourceCommands.StartCommand, Ended)).Success
                && IsTerminal(life.State) && !lifetime.ApplicationStopping.IsCancellationRequested)
            {
                await Task.Delay(life.BackOff.Next(TimeSpan.Zero), time, Ended);
            }
        }
        catch (OperationCanceledException) when (Ended.IsCancellationRequested)
        {
            // The AppHost ends.
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "It ended unasked, with exit code {ExitCode}; it is started again in {Seconds} s")]
    private static partial void LogCrashed(ILogger logger, int? exitCode, double seconds);

    /// <summary>What is known of a resource. Written by the watcher alone.</summary>
    private sealed class Life
    {
        public BackOff BackOff { get; } = new();

        public string? State { get; set; }

        public long? Began { get; set; }

        public Task Restarting { get; set; } = Task.CompletedTask;
    }
}

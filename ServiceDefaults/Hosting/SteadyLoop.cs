using Microsoft.Extensions.Logging;

namespace ServiceDefaults.Hosting;

/// <summary>
/// How a service runs its background loops: a fault that nobody foresaw is logged, and the loop begins again after a pause. Left to the host it would stop the whole service,
/// and with it everything that has nothing to do with the loop.
/// </summary>
public static partial class SteadyLoop
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Runs the loop until it ends by itself or is stopped.</summary>
    /// <param name="loop">May be begun again after it has thrown: what it must do once only, it does not do here.</param>
    /// <exception cref="OperationCanceledException">Stopped.</exception>
    public static async Task RunAsync(Func<CancellationToken, Task> loop, TimeProvider time, ILogger logger, CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await loop(stoppingToken);
                return;
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                LogFault(logger, exception, Pause.TotalSeconds);
                await Task.Delay(Pause, time, stoppingToken);
            }
        }
    }

    [LoggerMessage(4, LogLevel.Error, "A fault in a background loop; it begins again in {Seconds} s")]
    private static partial void LogFault(ILogger logger, Exception exception, double seconds);
}

using Microsoft.Extensions.Options;
using Npgsql;

namespace Proxy.Continuity.RequestLogs;

/// <summary>Makes partitions ahead of time and drops those past their retention: at start, then every hour.</summary>
internal sealed partial class RequestLogPartitions(
    NpgsqlDataSource database, IOptions<RequestLogOptions> options, TimeProvider time, ILogger<RequestLogPartitions> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(5);

    /// <summary>One round of upkeep.</summary>
    public async Task MaintainAsync(CancellationToken cancellationToken)
    {
        var today = DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime);
        await using var command = database.CreateCommand("SELECT ensure_request_log_partitions($1, $2), drop_request_log_partitions($3)");
        command.Parameters.Add(new NpgsqlParameter<DateOnly> { TypedValue = today.AddDays(-1) });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = options.Value.DaysAhead + 2 });
        command.Parameters.Add(new NpgsqlParameter<DateOnly> { TypedValue = today.AddDays(-options.Value.RetentionDays) });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var pause = Interval;
            try
            {
                await MaintainAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                LogPostponed(exception.GetType().Name);
                pause = RetryInterval;
            }
            await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(201, LogLevel.Warning, "Partition upkeep of request_logs is postponed ({Error})")]
    private partial void LogPostponed(string error);
}

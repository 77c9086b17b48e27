using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;

namespace Proxy.Edge.Spool;

/// <summary>
/// Ships ended turns from the spool: their rows to the continuity service, their settlement to the accounts service.
/// Both take a turn again without harm, so what is not acknowledged by both is sent again.
/// </summary>
internal sealed partial class SpoolShipper(
    TurnSpool spool, ContinuityClient continuity, AccountsClient accounts, TimeProvider time, ILogger<SpoolShipper> logger) : BackgroundService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LastRound = TimeSpan.FromSeconds(4);

    private readonly List<SegmentReader> _readers = [];
    private readonly Dictionary<Guid, (SegmentReader Reader, RequestLogRow Row)> _open = [];

    /// <summary>Ships what is left, as far as the services are there, and then stops; the rest is found at the next start.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(LastRound);
        try
        {
            await ShipAllAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            LogKept(_open.Count);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ShipLeftBehindAsync(stoppingToken);
        while (true)
        {
            await ShipAllAsync(stoppingToken);
            await spool.WaitAsync(stoppingToken);
        }
    }

    // Turns that an earlier process has begun and not ended were cut by its death.
    private async Task ShipLeftBehindAsync(CancellationToken cancellationToken)
    {
        for (var left = spool.LeftBehind; left > 0 && spool.Sealed.TryDequeue(out var segment); left--)
        {
            _readers.Add(new SegmentReader(segment));
            await ShipAsync(_readers[^1], cancellationToken);
        }
        if (_open.Count > 0)
        {
            LogCut(_open.Count);
            await SendAsync([.. _open.Values.Select(open => open.Row)], cancellationToken);
            foreach (var (reader, _) in _open.Values)
            {
                reader.OpenTurns--;
            }
            _open.Clear();
        }
        RemoveFinished();
    }

    private async Task ShipAllAsync(CancellationToken cancellationToken)
    {
        while (spool.Sealed.TryDequeue(out var segment))
        {
            if (_readers.TrueForAll(reader => reader.Segment != segment))
            {
                _readers.Add(new SegmentReader(segment));
            }
        }
        if (spool.Current is var current && _readers.TrueForAll(reader => reader.Segment != current))
        {
            _readers.Add(new SegmentReader(current));
        }
        foreach (var reader in _readers)
        {
            await ShipAsync(reader, cancellationToken);
        }
        RemoveFinished();
    }

    private async Task ShipAsync(SegmentReader reader, CancellationToken cancellationToken)
    {
        while (reader.Peek() is { } records)
        {
            await SendAsync([.. records.Select(record => record.Ended).OfType<RequestLogRow>()], cancellationToken);
            foreach (var record in records)
            {
                Follow(reader, record);
            }
            reader.Commit();
            if (records.Count == 0)
            {
                return;
            }
        }
    }

    private void Follow(SegmentReader reader, SpoolRecord record)
    {
        if (record.Began is { } began && _open.TryAdd(began.Id, (reader, began)))
        {
            reader.OpenTurns++;
        }
        if (record.Ended is { } ended && _open.Remove(ended.Id, out var open))
        {
            open.Reader.OpenTurns--;
        }
    }

    private void RemoveFinished()
    {
        foreach (var reader in _readers.Where(reader => reader.IsDone && reader.OpenTurns == 0).ToArray())
        {
            _readers.Remove(reader);
            spool.Remove(reader.Segment);
        }
    }

    private async Task SendAsync(IReadOnlyList<RequestLogRow> rows, CancellationToken cancellationToken)
    {
        var pause = FirstPause;
        foreach (var chunk in rows.Chunk(ContinuityRoutes.MaxRows))
        {
            var (isLogged, isSettled) = (false, false);
            while (true)
            {
                var logging = isLogged ? Task.FromResult(true) : continuity.TakeInAsync(chunk, cancellationToken);
                var settling = isSettled ? Task.FromResult(true) : SettleAsync(chunk, cancellationToken);
                (isLogged, isSettled) = (await logging, await settling);
                if (isLogged && isSettled)
                {
                    break;
                }
                LogPostponed(chunk.Length, isLogged ? "accounts" : "continuity");
                await Task.Delay(pause, time, cancellationToken);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }
        }
    }

    private Task<bool> SettleAsync(RequestLogRow[] rows, CancellationToken cancellationToken)
    {
        var turns = rows.Where(row => row.AccountId is not null).Select(row => new SettledTurn(
            row.Id, row.ApiKeyId, row.AccountId!, row.Model, row.Status, row.RequestedAt + TimeSpan.FromMilliseconds(row.DurationMs), row.UsageEstimated,
            row.InputTokens ?? 0, row.CachedInputTokens ?? 0, row.OutputTokens ?? 0, row.ReasoningTokens ?? 0, row.TotalTokens ?? 0)).ToArray();
        return turns.Length == 0 ? Task.FromResult(true) : accounts.SettleAsync(turns, cancellationToken);
    }

    [LoggerMessage(401, LogLevel.Warning, "{Turns} turns were running when this edge ended last time; they are logged as cut")]
    private partial void LogCut(int turns);

    [LoggerMessage(402, LogLevel.Warning, "{Rows} rows wait in the spool: the {Service} service does not take them")]
    private partial void LogPostponed(int rows, string service);

    [LoggerMessage(403, LogLevel.Warning, "Stopping with rows in the spool, {Open} of them of turns without an end; they are shipped at the next start")]
    private partial void LogKept(int open);
}

using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Lifecycle;
using ServiceDefaults.Hosting;

namespace Proxy.Edge.Clients;

/// <summary>
/// Leases slots for turns that are still to come, so that those need not wait for it. The prefetcher owns a slot until a turn takes it, and with it the id under which it was leased;
/// it returns what nobody takes, what somebody waits for, what was decided on accounts or keys that have changed, and all of it at the end.
/// </summary>
internal sealed partial class SlotPrefetcher(AccountsClient accounts, LeaseKeeper leases, IOptions<EdgeOptions> options, TimeProvider time, ILogger<SlotPrefetcher> logger) : BackgroundService
{
    private const int MostShapes = 1000;

    // A key that asks for models of ever new names leaves room for others.
    private const int MostShapesOfKey = 50;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    // Much less than the shortest lease: a process that was frozen must not take what is another's by now.
    private static readonly TimeSpan ValidAfterCheck = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestUnused = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AfterContention = TimeSpan.FromSeconds(2);

    // A turn that has to wait for its slot may have to wait for one of these. Longer than an admission takes that has not to wait.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan StopBound = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly Dictionary<TurnShape, PrefetchedSlotPool> _pools = [];
    private readonly ConcurrentQueue<StartedTurn> _started = new();
    private readonly RunningTasks _calls = new();
    private long _checkedAt;
    private bool _isOver;

    /// <summary>How many slots are leased and not taken.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return CountKept();
            }
        }
    }

    /// <summary>A slot that will do for a turn, which is that turn's from now on; null if there is none, or the turn is to be asked for by itself.</summary>
    public PrefetchedSlot? TryTake(AdmissionRequest request)
    {
        if (options.Value.PrefetchedSlots == 0 || request is not { Purpose: AdmissionPurpose.Turn, MovesFrom: null, RefreshCredential: false, ExcludedAccountIds: null or { Count: 0 } })
        {
            return null;
        }
        var shape = new TurnShape(request.KeyId, request.Model, request.NeedsWebSockets, request.PreferredAccountId);
        lock (_lock)
        {
            if (_isOver || (!_pools.TryGetValue(shape, out var pool) && !MayAdd(shape)))
            {
                return null;
            }
            pool ??= _pools[shape] = new PrefetchedSlotPool(time);
            pool.CountTurn();
            var taken = pool.Take(request, slot => time.GetElapsedTime(Math.Max(slot.LeasedAt, _checkedAt)) < ValidAfterCheck);
            if (pool.Missing(options.Value.PrefetchedSlots) is > 0 and var wanted && Math.Min(wanted, AccountsRoutes.MaxTurns - CountKept()) is > 0 and var missing)
            {
                pool.IsAsking = true;
                _calls.Add(Task.Run(() => AskAsync(shape, pool, missing)));
            }
            return taken;
        }
    }

    /// <summary>A turn runs in the slot that it took, and holds it: from now on it is booked, should this process die.</summary>
    public void MarkStarted(StartedTurn turn) => _started.Enqueue(turn);

    /// <summary>Waits for an admission. One that takes its time may be waiting for a slot that lies here.</summary>
    public async Task<AdmissionResponse?> MakeRoomForAsync(AdmissionRequest request, Task<AdmissionResponse?> admission, CancellationToken cancellationToken)
    {
        if (admission.IsCompleted || Count == 0)
        {
            return await admission;
        }
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (await Task.WhenAny(admission, Task.Delay(Patience, time, done.Token)) != admission && !cancellationToken.IsCancellationRequested)
        {
            BeginReturn(Remove(slot => PrefetchedSlotPool.Fits(slot.Account, request with { PreferredAccountId = null }), AfterContention));
        }
        await done.CancelAsync();
        return await admission;
    }

    /// <summary>Returns what is leased on an account that is not to be used now.</summary>
    public void ReturnAll(string accountId) => BeginReturn(Remove(slot => slot.Account.Id == accountId, Interval));

    /// <summary>Returns all, as far as the service is there; the rest is free when its leases end.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        lock (_lock)
        {
            _isOver = true;
        }
        try
        {
            await _calls.WhenEndedAsync().WaitAsync(StopBound, time, cancellationToken);
            BeginReturn(Remove(_ => true, pause: null));
            await _calls.WhenEndedAsync().WaitAsync(StopBound, time, cancellationToken);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            LogNotReturned();
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SteadyLoop.RunAsync(RunAsync, time, logger, stoppingToken);

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            await CheckAsync(stoppingToken);
        }
    }

    private async Task CheckAsync(CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        SlotLease[] held;
        lock (_lock)
        {
            foreach (var idle in _pools.Where(pool => pool.Value.IsIdle).Select(pool => pool.Key).ToArray())
            {
                _pools.Remove(idle);
            }
            held = [.. _pools.Values.SelectMany(pool => pool.Slots).Select(slot => slot.Lease).Take(AccountsRoutes.MaxTurns)];
        }
        var started = StillRunning();
        if (held.Length == 0 && started.Count == 0)
        {
            return;
        }
        if (await accounts.RenewPrefetchedAsync(new RenewPrefetchedRequest(held, started), cancellationToken) is not { } answer)
        {
            started.ForEach(MarkStarted);
            return;
        }
        lock (_lock)
        {
            _checkedAt = began;
        }
        var lost = answer.Lost.ToHashSet();
        _ = Remove(slot => lost.Contains(slot.TurnId), pause: null);
        var unwanted = Remove(slot => answer.Version != slot.Version || time.GetElapsedTime(slot.LeasedAt) > LongestUnused, pause: null);
        var wanted = Remove(slot => answer.Wanted.Contains(slot.Account.Id), AfterContention);
        BeginReturn([.. unwanted, .. wanted]);
    }

    // Most have ended by now; those that have not are booked if this process dies.
    private List<StartedTurn> StillRunning()
    {
        var running = new List<StartedTurn>();
        while (running.Count < AccountsRoutes.MaxTurns && _started.TryDequeue(out var turn))
        {
            if (leases.IsHeld(turn.TurnId))
            {
                running.Add(turn);
            }
        }
        return running;
    }

    // What the service does not answer for ends with its lease.
    private async Task AskAsync(TurnShape shape, PrefetchedSlotPool pool, int count)
    {
        var began = time.GetTimestamp();
        var now = time.GetUtcNow();
        Guid[] ids = [.. Enumerable.Range(0, Math.Min(count, PrefetchRequest.MostTurns)).Select(_ => Guid.CreateVersion7(now))];
        PrefetchResponse? answer = null;
        try
        {
            answer = await accounts.PrefetchAsync(new PrefetchRequest(ids, shape.KeyId, shape.Model, shape.NeedsWebSockets, shape.PreferredAccountId), CancellationToken.None);
        }
        catch (Exception fault)
        {
            LogFault(fault);
        }
        PrefetchedSlot[] leased = [.. (answer?.Leases ?? []).Select(lease => new PrefetchedSlot(lease.TurnId, answer!.Accounts.First(account => account.Id == lease.AccountId), answer.Version, began))];
        bool isUnwanted;
        lock (_lock)
        {
            pool.IsAsking = false;
            isUnwanted = _isOver || pool.IsResting;
            if (!isUnwanted)
            {
                Array.ForEach(leased, pool.Add);
            }
            if (leased.Length < ids.Length)
            {
                pool.Rest(Interval);
            }
        }
        if (isUnwanted)
        {
            // Somebody has started to wait since it was asked for.
            await ReturnAsync(leased);
        }
    }

    private List<PrefetchedSlot> Remove(Predicate<PrefetchedSlot> matches, TimeSpan? pause)
    {
        lock (_lock)
        {
            var removed = new List<PrefetchedSlot>();
            foreach (var pool in _pools.Values)
            {
                var some = pool.Remove(matches);
                removed.AddRange(some);
                if (some.Count > 0 && pause is { } rest)
                {
                    pool.Rest(rest);
                }
            }
            return removed;
        }
    }

    private void BeginReturn(IReadOnlyList<PrefetchedSlot> slots)
    {
        if (slots.Count > 0)
        {
            _calls.Add(ReturnAsync(slots));
        }
    }

    private async Task ReturnAsync(IReadOnlyList<PrefetchedSlot> slots)
    {
        try
        {
            foreach (var some in slots.Chunk(AccountsRoutes.MaxTurns))
            {
                await accounts.ReturnSlotsAsync([.. some.Select(slot => slot.Lease)]);
            }
        }
        catch (Exception fault)
        {
            LogFault(fault);
        }
    }

    private bool MayAdd(TurnShape shape) => _pools.Count < MostShapes && _pools.Keys.Count(known => known.KeyId == shape.KeyId) < MostShapesOfKey;

    private int CountKept() => _pools.Values.Sum(pool => pool.Slots.Count);

    [LoggerMessage(412, LogLevel.Error, "A fault while slots were prefetched or returned")]
    private partial void LogFault(Exception fault);

    [LoggerMessage(413, LogLevel.Warning, "Slots that were prefetched could not be returned; they are free when their leases end")]
    private partial void LogNotReturned();
}

using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Lifecycle;
using ServiceDefaults.Hosting;

namespace Proxy.Edge.Clients;

/// <summary>
/// Leases slots for turns that are still to come, so that those need not wait for it. A slot is this one's until a turn takes it, and with it the id under which it was leased.
/// It goes back when nobody takes it, when somebody waits for its account, when accounts or keys have changed, and at the end.
/// </summary>
internal sealed partial class SlotsAhead(AccountsClient accounts, LeaseKeeper leases, IOptions<EdgeOptions> options, TimeProvider time, ILogger<SlotsAhead> logger) : BackgroundService
{
    private const int MostShapes = 1000;

    // A key that asks for models of ever new names leaves room for others.
    private const int MostShapesOfKey = 50;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    // Much less than the shortest lease: a process that was frozen must not take what is another's by now.
    private static readonly TimeSpan Known = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestUnused = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AfterContention = TimeSpan.FromSeconds(2);

    // A turn that has to wait for its slot may have to wait for one of these. Longer than an admission takes that has not to wait.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan StopBound = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly Dictionary<TurnShape, AheadShelf> _shelves = [];
    private readonly ConcurrentQueue<BegunTurn> _begun = new();
    private readonly RunningTasks _asking = new();
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
    public AheadSlot? TryTake(AdmissionRequest request)
    {
        if (options.Value.SlotsAhead == 0 || request is not { Purpose: AdmissionPurpose.Turn, MovesFrom: null, RefreshCredential: false, ExcludedAccountIds: null or { Count: 0 } })
        {
            return null;
        }
        var shape = new TurnShape(request.KeyId, request.Model, request.NeedsWebSockets, request.PreferredAccountId);
        lock (_lock)
        {
            if (_isOver || (!_shelves.TryGetValue(shape, out var shelf) && !MayAdd(shape)))
            {
                return null;
            }
            shelf ??= _shelves[shape] = new AheadShelf(time);
            shelf.CountTurn();
            var taken = shelf.Take(request, slot => time.GetElapsedTime(Math.Max(slot.LeasedAt, _checkedAt)) < Known);
            if (shelf.Missing(options.Value.SlotsAhead) is > 0 and var wanted && Math.Min(wanted, AccountsRoutes.MaxTurns - CountKept()) is > 0 and var missing)
            {
                shelf.IsAsking = true;
                _asking.Add(Task.Run(() => AskAsync(shape, shelf, missing)));
            }
            return taken;
        }
    }

    /// <summary>A turn runs in the slot that it took, and holds it: from now on it is booked, should this process die.</summary>
    public void Begin(BegunTurn turn) => _begun.Enqueue(turn);

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
            GiveBack(Remove(slot => AheadShelf.Fits(slot.Account, request with { PreferredAccountId = null }), AfterContention));
        }
        await done.CancelAsync();
        return await admission;
    }

    /// <summary>Gives back what is leased on an account that is not to be used now.</summary>
    public void GiveUp(string accountId) => GiveBack(Remove(slot => slot.Account.Id == accountId, Interval));

    /// <summary>Gives all back, as far as the service is there; the rest is free when its leases end.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        lock (_lock)
        {
            _isOver = true;
        }
        try
        {
            await _asking.WhenEndedAsync().WaitAsync(StopBound, time, cancellationToken);
            GiveBack(Remove(_ => true, pause: null));
            await _asking.WhenEndedAsync().WaitAsync(StopBound, time, cancellationToken);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            LogNotGivenBack();
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
        SlotLease[] ahead;
        lock (_lock)
        {
            foreach (var idle in _shelves.Where(shelf => shelf.Value.IsIdle).Select(shelf => shelf.Key).ToArray())
            {
                _shelves.Remove(idle);
            }
            ahead = [.. _shelves.Values.SelectMany(shelf => shelf.Slots).Select(slot => slot.Lease).Take(AccountsRoutes.MaxTurns)];
        }
        var begun = Begun();
        if (ahead.Length == 0 && begun.Count == 0)
        {
            return;
        }
        if (await accounts.RenewAheadAsync(new RenewAheadRequest(ahead, begun), cancellationToken) is not { } answer)
        {
            begun.ForEach(Begin);
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
        GiveBack([.. unwanted, .. wanted]);
    }

    // Most have ended by now; those that have not are booked if this process dies.
    private List<BegunTurn> Begun()
    {
        var running = new List<BegunTurn>();
        while (running.Count < AccountsRoutes.MaxTurns && _begun.TryDequeue(out var turn))
        {
            if (leases.IsHeld(turn.TurnId))
            {
                running.Add(turn);
            }
        }
        return running;
    }

    // What the service does not answer for ends with its lease.
    private async Task AskAsync(TurnShape shape, AheadShelf shelf, int count)
    {
        var began = time.GetTimestamp();
        var now = time.GetUtcNow();
        Guid[] ids = [.. Enumerable.Range(0, Math.Min(count, LeaseAheadRequest.MostTurns)).Select(_ => Guid.CreateVersion7(now))];
        LeaseAheadResponse? answer = null;
        try
        {
            answer = await accounts.LeaseAheadAsync(new LeaseAheadRequest(ids, shape.KeyId, shape.Model, shape.NeedsWebSockets, shape.PreferredAccountId), CancellationToken.None);
        }
        catch (Exception fault)
        {
            LogFault(fault);
        }
        AheadSlot[] leased = [.. (answer?.Leases ?? []).Select(lease => new AheadSlot(lease.TurnId, answer!.Accounts.First(account => account.Id == lease.AccountId), answer.Version, began))];
        bool isUnwanted;
        lock (_lock)
        {
            shelf.IsAsking = false;
            isUnwanted = _isOver || shelf.IsResting;
            if (!isUnwanted)
            {
                Array.ForEach(leased, shelf.Add);
            }
            if (leased.Length < ids.Length)
            {
                shelf.Rest(Interval);
            }
        }
        if (isUnwanted)
        {
            // Somebody has begun to wait since it was asked for.
            await GiveBackAsync(leased);
        }
    }

    private List<AheadSlot> Remove(Predicate<AheadSlot> matches, TimeSpan? pause)
    {
        lock (_lock)
        {
            var removed = new List<AheadSlot>();
            foreach (var shelf in _shelves.Values)
            {
                var some = shelf.Remove(matches);
                removed.AddRange(some);
                if (some.Count > 0 && pause is { } rest)
                {
                    shelf.Rest(rest);
                }
            }
            return removed;
        }
    }

    private void GiveBack(IReadOnlyList<AheadSlot> slots)
    {
        if (slots.Count > 0)
        {
            _asking.Add(GiveBackAsync(slots));
        }
    }

    private async Task GiveBackAsync(IReadOnlyList<AheadSlot> slots)
    {
        try
        {
            foreach (var some in slots.Chunk(AccountsRoutes.MaxTurns))
            {
                await accounts.GiveBackAsync([.. some.Select(slot => slot.Lease)]);
            }
        }
        catch (Exception fault)
        {
            LogFault(fault);
        }
    }

    private bool MayAdd(TurnShape shape) => _shelves.Count < MostShapes && _shelves.Keys.Count(known => known.KeyId == shape.KeyId) < MostShapesOfKey;

    private int CountKept() => _shelves.Values.Sum(shelf => shelf.Slots.Count);

    [LoggerMessage(412, LogLevel.Error, "A fault while slots were leased ahead or given back")]
    private partial void LogFault(Exception fault);

    [LoggerMessage(413, LogLevel.Warning, "Slots that were leased ahead could not be given back; they are free when their leases end")]
    private partial void LogNotGivenBack();
}

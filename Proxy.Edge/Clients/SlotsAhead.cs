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
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    // Much less than the shortest lease: a process that was frozen must not take what is another's by now.
    private static readonly TimeSpan Known = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestUnused = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AfterContention = TimeSpan.FromSeconds(2);

    // A turn that has to wait for its slot may have to wait for one of these.
    private static readonly TimeSpan PatienceForOthers = TimeSpan.FromMilliseconds(20);

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
                return _shelves.Values.Sum(shelf => shelf.Slots.Count);
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
        var shape = new TurnShape(request.KeyId, request.Model, request.NeedsWebSockets);
        AheadShelf? shelf;
        AheadSlot? taken;
        int missing;
        lock (_lock)
        {
            if (_isOver || (!_shelves.TryGetValue(shape, out shelf) && _shelves.Count >= MostShapes))
            {
                return null;
            }
            shelf ??= _shelves[shape] = new AheadShelf(time);
            shelf.CountTurn();
            taken = shelf.Take(request, slot => time.GetElapsedTime(Math.Max(slot.LeasedAt, _checkedAt)) < Known);
            missing = shelf.Missing(options.Value.SlotsAhead);
            shelf.IsAsking |= missing > 0;
        }
        if (missing > 0)
        {
            _asking.Add(AskAsync(shape, shelf, request.PreferredAccountId, missing));
        }
        if (taken is not null)
        {
            _begun.Enqueue(new BegunTurn(taken.TurnId, taken.Account.Id, request.KeyId, request.Model));
        }
        return taken;
    }

    /// <summary>Waits for an admission. One that takes its time may be waiting for a slot that lies here.</summary>
    public async Task<AdmissionResponse?> MakeRoomForAsync(Task<AdmissionResponse?> admission, CancellationToken cancellationToken)
    {
        if (!admission.IsCompleted && Count > 0)
        {
            using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            if (await Task.WhenAny(admission, Task.Delay(PatienceForOthers, time, done.Token)) != admission)
            {
                await GiveBackAsync(Remove(_ => true, AfterContention));
            }
            await done.CancelAsync();
        }
        return await admission;
    }

    /// <summary>Gives back what is leased on an account that is not to be used now.</summary>
    public void GiveUp(string accountId) => _asking.Add(GiveBackAsync(Remove(slot => slot.Account.Id == accountId, pause: null)));

    /// <summary>Gives all back.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        lock (_lock)
        {
            _isOver = true;
        }
        await _asking.WhenEndedAsync();
        await GiveBackAsync(Remove(_ => true, pause: null));
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
        await GiveBackAsync([.. unwanted, .. wanted]);
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

    private async Task AskAsync(TurnShape shape, AheadShelf shelf, string? preferredAccountId, int count)
    {
        var began = time.GetTimestamp();
        var now = time.GetUtcNow();
        Guid[] ids = [.. Enumerable.Range(0, Math.Min(count, LeaseAheadRequest.MostTurns)).Select(_ => Guid.CreateVersion7(now))];
        LeaseAheadResponse? answer = null;
        try
        {
            answer = await accounts.LeaseAheadAsync(new LeaseAheadRequest(ids, shape.KeyId, shape.Model, shape.NeedsWebSockets, preferredAccountId), CancellationToken.None);
        }
        catch (Exception fault)
        {
            LogFault(fault);
        }
        if (answer is null)
        {
            // Some may have been leased all the same.
            Array.ForEach(ids, leases.Abandon);
        }
        lock (_lock)
        {
            shelf.IsAsking = false;
            foreach (var lease in answer?.Leases ?? [])
            {
                shelf.Add(new AheadSlot(lease.TurnId, answer!.Accounts.First(account => account.Id == lease.AccountId), answer.Version, began));
            }
            if (answer?.Leases.Count != ids.Length)
            {
                shelf.Rest(Interval);
            }
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

    private async Task GiveBackAsync(IReadOnlyList<AheadSlot> slots)
    {
        foreach (var some in slots.Chunk(AccountsRoutes.MaxTurns))
        {
            try
            {
                if (await accounts.GiveBackAsync([.. some.Select(slot => slot.Lease)]))
                {
                    continue;
                }
            }
            catch (Exception fault)
            {
                LogFault(fault);
            }
            Array.ForEach(some, slot => leases.Abandon(slot.TurnId));
        }
    }

    [LoggerMessage(412, LogLevel.Error, "A fault while slots were leased ahead or given back")]
    private partial void LogFault(Exception fault);
}

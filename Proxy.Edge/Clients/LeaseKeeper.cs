using System.Collections.Concurrent;
using Proxy.Accounts.Contracts;
using ServiceDefaults.Hosting;

namespace Proxy.Edge.Clients;

/// <summary>Renews the slots of all running turns, stops a turn whose slot was lost, and gives back those that may have been given and never arrived.</summary>
internal sealed partial class LeaseKeeper(AccountsClient accounts, TimeProvider time, ILogger<LeaseKeeper> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(AccountsRoutes.RenewIntervalSeconds);

    // By then a lease that nobody renews has ended by itself.
    private static readonly TimeSpan LongestLease = TimeSpan.FromMinutes(5);

    private const int MostAbandoned = 10_000;

    // After an outage there may be many, and renewing those that run must not wait for them.
    private const int AbandonedAtOnce = 32;

    private readonly ConcurrentDictionary<Guid, Held> _held = new();
    private readonly ConcurrentQueue<(Guid TurnId, long Since)> _abandoned = new();

    /// <summary>How many slots this edge holds.</summary>
    public int Count => _held.Count;

    /// <summary>Takes over a slot, or the one the turn has been moved to; the token, the same for all of a turn's slots, is canceled if it is lost.</summary>
    public CancellationToken Hold(Guid turnId, string accountId) =>
        _held.AddOrUpdate(turnId, static (_, accountId) => new Held(accountId, new CancellationTokenSource()), static (_, held, accountId) => held with { AccountId = accountId }, accountId).Lost.Token;

    /// <summary>True while the turn, or upstream on its behalf, is at work.</summary>
    public bool IsHeld(Guid turnId) => _held.ContainsKey(turnId);

    /// <summary>Stops renewing. The slot itself is freed when the turn is settled, or when its lease ends.</summary>
    public void Drop(Guid turnId)
    {
        if (_held.TryRemove(turnId, out var held))
        {
            held.Lost.Dispose();
        }
    }

    /// <summary>
    /// The turn was not given the answer to its admission: a slot that was leased for it meanwhile is given back as soon as the service answers again, instead of being
    /// held until its lease ends and booked as lost.
    /// </summary>
    public void Abandon(Guid turnId)
    {
        if (_abandoned.Count < MostAbandoned)
        {
            _abandoned.Enqueue((turnId, time.GetTimestamp()));
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SteadyLoop.RunAsync(RunAsync, time, logger, stoppingToken);

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            foreach (var chunk in _held.Chunk(AccountsRoutes.MaxTurns))
            {
                var renewed = await accounts.RenewAsync([.. chunk.Select(held => new SlotLease(held.Key, held.Value.AccountId))], stoppingToken);
                foreach (var turnId in renewed?.Lost ?? [])
                {
                    await StopAsync(chunk.FirstOrDefault(held => held.Key == turnId));
                }
            }
            await GiveBackAsync();
        }
    }

    private async Task GiveBackAsync()
    {
        var some = new List<(Guid TurnId, long Since)>();
        while (some.Count < AbandonedAtOnce && _abandoned.TryDequeue(out var next))
        {
            // One that has asked again meanwhile and was answered holds a slot, which is freed when the turn is settled.
            if (!IsHeld(next.TurnId) && time.GetElapsedTime(next.Since) < LongestLease)
            {
                some.Add(next);
            }
        }
        var given = await Task.WhenAll(some.Select(one => accounts.AbandonAsync(one.TurnId)));
        foreach (var one in some.Where((_, index) => !given[index]))
        {
            _abandoned.Enqueue(one);
        }
    }

    // Compared with what was asked: a turn that has moved to another account meanwhile has lost nothing.
    private async Task StopAsync(KeyValuePair<Guid, Held> asked)
    {
        if (asked.Value is null || !_held.TryRemove(asked))
        {
            return;
        }
        LogLost(asked.Key);
        // What stops then does so on threads of its own.
        await asked.Value.Lost.CancelAsync();
        asked.Value.Lost.Dispose();
    }

    private sealed record Held(string AccountId, CancellationTokenSource Lost);

    [LoggerMessage(411, LogLevel.Warning, "Turn {TurnId} has lost its slot and is stopped")]
    private partial void LogLost(Guid turnId);
}

using System.Collections.Concurrent;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Clients;
using ServiceDefaults.Hosting;

namespace Proxy.Edge.Callers;

/// <summary>
/// Ends what runs in the name of a key once the key does not cover it any more: admission refuses what is new at once, but a turn runs for minutes and a socket for hours. The
/// accounts service is asked every two seconds for the keys of what runs; while it is away nothing ends, and nothing new begins.
/// </summary>
internal sealed partial class KeyWatch(AccountsClient accounts, TimeProvider time, ILogger<KeyWatch> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<KeyUse, bool> _uses = new();

    /// <summary>Watches something that the key is used for, until it is disposed.</summary>
    /// <param name="isCovered">Whether a valid key's grant covers it, now.</param>
    public KeyUse Watch(string keyId, Func<KeyGrant, bool> isCovered)
    {
        var use = new KeyUse(keyId, isCovered, use => _uses.TryRemove(use, out _));
        // Callers without a key have none that could end.
        if (keyId != AccountsRoutes.Anonymous)
        {
            _uses[use] = true;
        }
        return use;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SteadyLoop.RunAsync(RunAsync, time, logger, stoppingToken);

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            foreach (var keys in _uses.Keys.GroupBy(use => use.KeyId).Chunk(AccountsRoutes.MaxTurns))
            {
                if (await accounts.ListGrantsAsync([.. keys.Select(key => key.Key)], stoppingToken) is { } answer)
                {
                    await EndAsync(keys, answer.Grants.ToDictionary(grant => grant.KeyId));
                }
            }
        }
    }

    private async Task EndAsync(IEnumerable<IGrouping<string, KeyUse>> keys, Dictionary<string, KeyGrant> grants)
    {
        foreach (var key in keys)
        {
            var grant = grants.GetValueOrDefault(key.Key);
            KeyUse[] over = [.. key.Where(use => !use.IsCoveredBy(grant))];
            foreach (var use in over)
            {
                await use.EndAsync();
            }
            if (over.Length > 0)
            {
                LogEnded(key.Key, over.Length);
            }
        }
    }

    [LoggerMessage(451, LogLevel.Warning, "API key {KeyId} was revoked, has expired or may do less: {Count} of its turns and sockets end")]
    private partial void LogEnded(string keyId, int count);
}

/// <summary>Something that runs in the name of a key.</summary>
/// <param name="remove">Takes it off the watch; true for the first to do so.</param>
internal sealed class KeyUse(string keyId, Func<KeyGrant, bool> isCovered, Func<KeyUse, bool> remove) : IDisposable
{
    private readonly CancellationTokenSource _ended = new();

    public string KeyId { get; } = keyId;

    /// <summary>Canceled when the key does not cover it any more.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <param name="grant">Null for a key that is not valid.</param>
    public bool IsCoveredBy(KeyGrant? grant) => grant is not null && isCovered(grant);

    public async Task EndAsync()
    {
        if (remove(this))
        {
            // What ends then does so on threads of its own.
            await _ended.CancelAsync();
        }
    }

    // The source is not disposed: it holds nothing, and whoever ends the use may be at it just now.
    public void Dispose() => remove(this);
}

using Npgsql;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.ApiKeys;
using StackExchange.Redis;

namespace Proxy.Accounts.Pool;

/// <summary>
/// Accounts and keys in memory. A change moves a counter in Redis that every admission reads anyway, so all replicas
/// act on it at once; what Redis cannot tell is read again after a few seconds.
/// </summary>
internal sealed partial class AccountDirectory(
    AccountStore accounts, ApiKeyStore keys, PoolVersion poolVersion, TimeProvider time, ILogger<AccountDirectory> logger) : IAsyncDisposable, IDisposable
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(5);

    /// <summary>How long a load may take while there are accounts to go on with, and while there are none.</summary>
    private static readonly TimeSpan LoadBound = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan FirstLoadBound = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private volatile Loaded? _current;
    private Task<AccountsSnapshot>? _load;

    /// <summary>The current snapshot. One that is older than five seconds is read anew beside, and serves meanwhile: nobody waits for a store that is slow.</summary>
    /// <exception cref="NpgsqlException">Postgres is away and there never was a snapshot.</exception>
    public async ValueTask<AccountsSnapshot> GetAsync(CancellationToken cancellationToken)
    {
        if (_current is not { } current)
        {
            return await ReloadAsync(null, cancellationToken);
        }
        if (time.GetElapsedTime(current.At) >= Lifetime)
        {
            _ = BeginLoad(current.Snapshot);
        }
        return current.Snapshot;
    }

    /// <summary>The snapshot of this moment, for what does not lease a slot: leasing compares the version itself.</summary>
    /// <exception cref="NpgsqlException">Postgres is away and there never was a snapshot.</exception>
    public async ValueTask<AccountsSnapshot> GetLatestAsync(CancellationToken cancellationToken)
    {
        var snapshot = await GetAsync(cancellationToken);
        return await ReadVersionAsync() is { } version && version != snapshot.Version ? await ReloadAsync(snapshot, cancellationToken) : snapshot;
    }

    /// <summary>What Postgres holds now, whatever the version says: what is at hand has been refused. One load serves all that ask at once.</summary>
    /// <exception cref="NpgsqlException">Postgres is away and there never was a snapshot.</exception>
    public Task<AccountsSnapshot> ReadAnewAsync(CancellationToken cancellationToken) => ReloadAsync(_current?.Snapshot, cancellationToken);

    /// <summary>A snapshot newer than the one that has turned out stale.</summary>
    /// <exception cref="NpgsqlException">Postgres is away and there never was a snapshot.</exception>
    /// <exception cref="TimeoutException">The same.</exception>
    public Task<AccountsSnapshot> ReloadAsync(AccountsSnapshot? stale, CancellationToken cancellationToken) => BeginLoad(stale).WaitAsync(cancellationToken);

    /// <summary>To be called after every change in Postgres.</summary>
    public async Task ChangedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await poolVersion.MoveAsync();
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            LogSlow(exception.GetType().Name);
        }
        await ReloadAsync(_current?.Snapshot, cancellationToken);
    }

    /// <summary>Waits for the load that runs; each has a bound.</summary>
    public async ValueTask DisposeAsync() => await ((Task?)_load ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    public void Dispose()
    {
        // A load that runs ends by its bound, and nobody waits for it.
    }

    // One load for all that need one: the others find that it has been done, or wait with it.
    private Task<AccountsSnapshot> BeginLoad(AccountsSnapshot? stale)
    {
        lock (_gate)
        {
            if (_current is { } other && !ReferenceEquals(other.Snapshot, stale))
            {
                return Task.FromResult(other.Snapshot);
            }
            return _load is { IsCompleted: false } running ? running : _load = Task.Run(() => LoadAsync(stale));
        }
    }

    private async Task<AccountsSnapshot> LoadAsync(AccountsSnapshot? stale)
    {
        // The version is read first: a change during the load makes the snapshot stale, never falsely fresh.
        var version = await ReadVersionAsync() ?? stale?.Version ?? "0";
        var snapshot = await LoadAsync(version, stale);
        _current = new Loaded(snapshot, time.GetTimestamp());
        return snapshot;
    }

    private async Task<AccountsSnapshot> LoadAsync(string version, AccountsSnapshot? stale)
    {
        using var bound = new CancellationTokenSource(stale is null ? FirstLoadBound : LoadBound, time);
        try
        {
            return new AccountsSnapshot(version, await accounts.ListAsync(bound.Token), await keys.ListAsync(bound.Token));
        }
        catch (OperationCanceledException) when (stale is null)
        {
            throw new TimeoutException("Postgres does not answer.");
        }
        catch (Exception exception) when (stale is not null)
        {
            LogKept(exception.GetType().Name);
            // Under the version of now: under its own it would be stale again at once, and its users would ask for ever.
            return new AccountsSnapshot(version, stale.Accounts, stale.Keys);
        }
    }

    private async Task<string?> ReadVersionAsync()
    {
        try
        {
            return await poolVersion.ReadAsync();
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            return null;
        }
    }

    private sealed record Loaded(AccountsSnapshot Snapshot, long At);

    [LoggerMessage(301, LogLevel.Warning, "Postgres is away ({Error}): the accounts known so far stay in use")]
    private partial void LogKept(string error);

    [LoggerMessage(302, LogLevel.Warning, "Redis is away ({Error}): other replicas learn of this change within seconds instead of at once")]
    private partial void LogSlow(string error);
}

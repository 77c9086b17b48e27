using Microsoft.Extensions.Options;
using Npgsql;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.ApiKeys;
using Proxy.Accounts.Pool;
using Proxy.Accounts.Selection;
using ServiceDefaults.Hosting;

namespace Proxy.Accounts.Admin;

/// <summary>
/// Upserts the seed at start, by name: never a state, and never a credential that an administrator has set.
/// Also seals anew what an older encryption key has sealed, and opens the pool of slots. A seed that is wrong stops the start; a database that is away does not: it is done when
/// that is back.
/// </summary>
internal sealed partial class SeedAtStart(
    IOptions<AccountsOptions> options, OwnTokens tokens, AccountStore accounts, ApiKeyStore keys, SlotLeases slots, AccountDirectory directory, TimeProvider time, ILogger<SeedAtStart> logger)
    : BackgroundService
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(2);

    private SeedDocument? _seed;
    private bool _isDone;

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        _seed = await ReadAsync(cancellationToken);
        if (_seed?.ApiKeys.Find(key => tokens.Contain(key.Key)) is { } taken)
        {
            throw new InvalidOperationException($"Accounts:Seed: API key '{taken.Name}': {OwnTokens.Refusal}");
        }
        try
        {
            await slots.OpenAsync();
        }
        catch (Exception exception) when (AdmissionEndpoints.IsStoreAway(exception))
        {
            LogRedisAway(exception.GetType().Name);
        }
        // Bounded by what the driver gives a connection and a command.
        await TryAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SteadyLoop.RunAsync(RunAsync, time, logger, stoppingToken);

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        while (!_isDone)
        {
            await Task.Delay(RetryInterval, time, stoppingToken);
            await TryAsync(stoppingToken);
        }
    }

    private async Task TryAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_seed is { } seed)
            {
                await ApplyAsync(seed, cancellationToken);
            }
            if (await accounts.ResealAsync(cancellationToken) is > 0 and var resealed)
            {
                LogResealed(resealed);
            }
            await directory.ChangedAsync(cancellationToken);
            _isDone = true;
        }
        catch (Exception exception) when (IsAway(exception))
        {
            LogPostponed(exception.GetType().Name);
        }
    }

    // A server that is away, that starts, or that ends: it comes back. Anything else that it says needs somebody.
    private static bool IsAway(Exception exception) => exception is TimeoutException or System.Net.Sockets.SocketException
        || (exception is NpgsqlException and not PostgresException { SqlState: not (PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown) });

    private async Task<SeedDocument?> ReadAsync(CancellationToken cancellationToken) => SeedDocument.Parse(
        options.Value.Seed is { Length: > 0 } text ? text : (options.Value.SeedFile is { Length: > 0 } file ? await File.ReadAllTextAsync(file, cancellationToken) : null),
        options.Value.AllowLinkLocalUpstreams);

    private async Task ApplyAsync(SeedDocument seed, CancellationToken cancellationToken)
    {
        await accounts.SeedAsync([.. seed.Accounts.Select(account => account.Create())], cancellationToken);
        await keys.SeedAsync([.. seed.ApiKeys.Select(key => key.Create().Key)], cancellationToken);
        if (seed.ApiKeys.FindAll(key => key.Limits is { Count: > 0 }) is { Count: > 0 } limited)
        {
            LogLimits(limited.Count, limited[0].Name!);
        }
        LogSeeded(seed.Accounts.Count, seed.ApiKeys.Count);
    }

    [LoggerMessage(330, LogLevel.Information, "Seeded {Accounts} accounts and {Keys} API keys")]
    private partial void LogSeeded(int accounts, int keys);

    [LoggerMessage(331, LogLevel.Information, "Sealed {Count} credentials anew with the current encryption key")]
    private partial void LogResealed(int count);

    [LoggerMessage(332, LogLevel.Warning, "The limits of {Keys} API keys, '{Name}' among them, are kept but not enforced yet")]
    private partial void LogLimits(int keys, string name);

    [LoggerMessage(334, LogLevel.Warning, "Postgres is away ({Error}): the seed is applied when it is back")]
    private partial void LogPostponed(string error);

    [LoggerMessage(333, LogLevel.Warning, "Redis is away ({Error}): no turn is admitted until it is back")]
    private partial void LogRedisAway(string error);
}

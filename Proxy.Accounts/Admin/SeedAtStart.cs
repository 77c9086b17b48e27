using Microsoft.Extensions.Options;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.ApiKeys;
using Proxy.Accounts.Selection;

namespace Proxy.Accounts.Admin;

/// <summary>
/// Upserts the seed at start, by name: never a state, and never a credential that an administrator has set.
/// Also seals anew what an older encryption key has sealed, and opens the pool of slots.
/// </summary>
internal sealed partial class SeedAtStart(
    IOptions<AccountsOptions> options, AccountStore accounts, ApiKeyStore keys, SlotLeases slots, AccountDirectory directory, ILogger<SeedAtStart> logger) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (await ReadAsync(cancellationToken) is { } seed)
        {
            await ApplyAsync(seed, cancellationToken);
        }
        if (await accounts.ResealAsync(cancellationToken) is > 0 and var resealed)
        {
            LogResealed(resealed);
        }
        await directory.ChangedAsync(cancellationToken);
        try
        {
            await slots.OpenAsync();
        }
        catch (Exception exception) when (AdmissionEndpoints.IsStoreAway(exception))
        {
            LogRedisAway(exception.GetType().Name);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<SeedDocument?> ReadAsync(CancellationToken cancellationToken) => SeedDocument.Parse(
        options.Value.Seed is { Length: > 0 } text ? text : (options.Value.SeedFile is { Length: > 0 } file ? await File.ReadAllTextAsync(file, cancellationToken) : null));

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

    [LoggerMessage(333, LogLevel.Warning, "Redis is away ({Error}): no turn is admitted until it is back")]
    private partial void LogRedisAway(string error);
}

using System.Text.Json;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.ApiKeys;
using Proxy.Accounts.Selection;

namespace Proxy.Accounts.Admin;

/// <summary>
/// The accounts and keys a system starts with:
/// <code>
/// {"accounts":[{"name":"main","baseUrl":"https://api.openai.com/v1","credential":{"kind":"bearer","token":"sk-..."},"webSockets":true}],
///  "apiKeys":[{"name":"team","key":"cp-...","accounts":["*"]}]}
/// </code>
/// </summary>
internal sealed class SeedDocument
{
    public List<AccountDraft> Accounts { get; set; } = [];

    public List<ApiKeyDraft> ApiKeys { get; set; } = [];
}

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

    /// <summary>The seed's text as a document, or null for none.</summary>
    /// <exception cref="InvalidOperationException">All that is wrong with it, in one message.</exception>
    internal static SeedDocument? Parse(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            return null;
        }
        SeedDocument seed;
        try
        {
            seed = JsonSerializer.Deserialize(text, AdminJson.Default.SeedDocument) ?? new SeedDocument();
            if (seed.Accounts is null || seed.ApiKeys is null || seed.Accounts.Contains(null!) || seed.ApiKeys.Contains(null!))
            {
                throw new JsonException(null, "$", 0, null);
            }
        }
        catch (JsonException exception)
        {
            // The exception's own message may quote the text, and with it a token.
            throw new InvalidOperationException($"Accounts:Seed is not the JSON it should be (line {exception.LineNumber + 1}, {exception.Path}).");
        }
        string[] errors = [.. FindErrors(seed)];
        return errors.Length == 0 ? seed : throw new InvalidOperationException("Accounts:Seed: " + string.Join(' ', errors));
    }

    private static IEnumerable<string> FindErrors(SeedDocument seed) =>
    [
        .. seed.Accounts.SelectMany(account => account.Validate(isNew: true).Select(error => $"Account '{account.Name}': {error}")),
        .. seed.ApiKeys.SelectMany(key => key.Validate().Select(error => $"API key '{key.Name}': {error}")),
        .. seed.ApiKeys.Where(key => key.Key is null).Select(key => $"API key '{key.Name}': key is required in a seed."),
        .. Repeated(seed.Accounts, account => account.Name?.Trim()).Select(account => $"Account '{account.Name}' is there more than once."),
        .. Repeated(seed.ApiKeys, key => key.Name?.Trim()).Select(key => $"API key '{key.Name}' is there more than once."),
        .. Repeated(seed.ApiKeys, key => key.Key).Select(key => $"API key '{key.Name}' has the key of another one."),
    ];

    private static IEnumerable<T> Repeated<T>(IEnumerable<T> drafts, Func<T, string?> by) =>
        drafts.Where(draft => by(draft) is not null).GroupBy(by).SelectMany(group => group.Skip(1));

    private async Task<SeedDocument?> ReadAsync(CancellationToken cancellationToken) => Parse(
        options.Value.Seed is { Length: > 0 } text ? text : (options.Value.SeedFile is { Length: > 0 } file ? await File.ReadAllTextAsync(file, cancellationToken) : null));

    private async Task ApplyAsync(SeedDocument seed, CancellationToken cancellationToken)
    {
        foreach (var account in seed.Accounts)
        {
            await accounts.SeedAsync(account.Create(), cancellationToken);
        }
        foreach (var key in seed.ApiKeys)
        {
            await keys.SeedAsync(key.Create().Key, cancellationToken);
            if (key.Limits is { Count: > 0 })
            {
                LogLimits(key.Name!);
            }
        }
        LogSeeded(seed.Accounts.Count, seed.ApiKeys.Count);
    }

    [LoggerMessage(330, LogLevel.Information, "Seeded {Accounts} accounts and {Keys} API keys")]
    private partial void LogSeeded(int accounts, int keys);

    [LoggerMessage(331, LogLevel.Information, "Sealed {Count} credentials anew with the current encryption key")]
    private partial void LogResealed(int count);

    [LoggerMessage(332, LogLevel.Warning, "The limits of API key {Name} are kept but not enforced yet")]
    private partial void LogLimits(string name);

    [LoggerMessage(333, LogLevel.Warning, "Redis is away ({Error}): no turn is admitted until it is back")]
    private partial void LogRedisAway(string error);
}

using System.Text.Json;

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

    /// <summary>The seed's text as a document, or null for none.</summary>
    /// <exception cref="InvalidOperationException">All that is wrong with it, in one message.</exception>
    public static SeedDocument? Parse(string? text, bool allowsLinkLocal = false) => TryParse(text, out var errors, allowsLinkLocal) is var seed && errors.Count == 0
        ? seed
        : throw new InvalidOperationException("Accounts:Seed: " + string.Join(' ', errors));

    /// <summary>The same; null for none, and where <paramref name="errors"/> says what is wrong with it, all of it.</summary>
    public static SeedDocument? TryParse(string? text, out IReadOnlyList<string> errors, bool allowsLinkLocal = false)
    {
        errors = [];
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
            errors = [$"it is not the JSON it should be (line {exception.LineNumber + 1}, {exception.Path})."];
            return null;
        }
        errors = [.. FindErrors(seed, allowsLinkLocal)];
        return errors.Count == 0 ? seed : null;
    }

    private static IEnumerable<string> FindErrors(SeedDocument seed, bool allowsLinkLocal) =>
    [
        .. seed.Accounts.SelectMany(account => account.Validate(isNew: true, allowsLinkLocal).Select(error => $"Account '{account.Name}': {error}")),
        .. seed.ApiKeys.SelectMany(key => key.Validate().Select(error => $"API key '{key.Name}': {error}")),
        .. seed.ApiKeys.Where(key => key.Key is null).Select(key => $"API key '{key.Name}': key is required in a seed."),
        .. Repeated(seed.Accounts, account => account.Name?.Trim()).Select(account => $"Account '{account.Name}' is there more than once."),
        .. Repeated(seed.ApiKeys, key => key.Name?.Trim()).Select(key => $"API key '{key.Name}' is there more than once."),
        .. Repeated(seed.ApiKeys, key => key.Key).Select(key => $"API key '{key.Name}' has the key of another one."),
    ];

    private static IEnumerable<T> Repeated<T>(IEnumerable<T> drafts, Func<T, string?> by) =>
        drafts.Where(draft => by(draft) is not null).GroupBy(by).SelectMany(group => group.Skip(1));
}

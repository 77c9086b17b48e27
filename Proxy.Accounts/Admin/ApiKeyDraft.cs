using System.Security.Cryptography;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.ApiKeys;

namespace Proxy.Accounts.Admin;

/// <summary>An API key as the seed and the admin API write it.</summary>
internal sealed class ApiKeyDraft
{
    private static readonly string[] Kinds = ["requests", "input_tokens", "output_tokens", "total_tokens", "cost"];
    private static readonly string[] Windows = ["minute", "5h", "day", "week", "month"];

    /// <summary>Unique; 1 to 100 characters.</summary>
    public string? Name { get; set; }

    /// <summary>The key itself, at least 16 characters. Without it one is made and shown once.</summary>
    public string? Key { get; set; }

    /// <summary>Models it may use; a pattern may end in <c>*</c>. Default <c>["*"]</c>.</summary>
    public List<string>? Models { get; set; }

    /// <summary>Names of accounts it may use; a pattern may end in <c>*</c>. Default <c>["*"]</c>.</summary>
    public List<string>? Accounts { get; set; }

    /// <summary>Limits: kept, and not enforced yet.</summary>
    public List<KeyLimit>? Limits { get; set; }

    /// <summary>When it ends to be valid; never by default.</summary>
    public DateTimeOffset? ExpiresAt { get; set; }

    /// <summary>What is wrong with the draft, all of it.</summary>
    public IEnumerable<string> Validate()
    {
        if (!DraftText.IsName(Name))
        {
            yield return "name is required and has at most 100 characters.";
        }
        if (Key is not null && (Key.Length is < 16 or > 512 || !DraftText.IsToken(Key)))
        {
            yield return "key must have 16 to 512 printable ASCII characters without white space.";
        }
        if (Models?.TrueForAll(DraftText.IsName) == false || Accounts?.TrueForAll(DraftText.IsName) == false)
        {
            yield return "models and accounts must not name nothing.";
        }
        foreach (var limit in Limits ?? [])
        {
            if (limit is null || !Kinds.Contains(limit.Kind) || !Windows.Contains(limit.Window) || limit.Max < 1)
            {
                yield return $"a limit needs a kind ({string.Join(", ", Kinds)}), a window ({string.Join(", ", Windows)}) and a max of at least 1.";
            }
        }
    }

    /// <summary>The key a valid draft asks for, and its text in clear: the only time it is there.</summary>
    public (ApiKey Key, string Text) Create()
    {
        var text = Key ?? "cp-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
        return (new ApiKey(Guid.CreateVersion7(), Name!.Trim(), ApiKeyStore.Hash(text), ApiKeyStore.HintOf(text),
            Models ?? ["*"], Accounts ?? ["*"], Limits ?? [], ExpiresAt, null), text);
    }
}

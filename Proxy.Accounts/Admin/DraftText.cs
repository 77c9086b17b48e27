namespace Proxy.Accounts.Admin;

/// <summary>Texts that drafts may hold.</summary>
internal static class DraftText
{
    private const int MaxName = 100;

    /// <summary>Something to read: not empty, not too long, no control characters (Postgres cannot keep all of them).</summary>
    public static bool IsName(string? text) => !string.IsNullOrWhiteSpace(text) && text.Length <= MaxName && !text.Any(char.IsControl);

    /// <summary>Something that is sent in a header as it is.</summary>
    public static bool IsToken(string? text) => !string.IsNullOrEmpty(text) && text.All(letter => letter is > ' ' and <= '~');
}

namespace Proxy.Accounts.Contracts;

/// <summary>Names with <c>*</c> at the end, as accounts list their models and keys theirs.</summary>
internal static class NamePattern
{
    /// <summary>True if one of the patterns is the name, or its beginning followed by <c>*</c>.</summary>
    public static bool AnyMatches(IReadOnlyList<string> patterns, string name) => patterns.Any(pattern =>
        pattern.EndsWith('*') ? name.StartsWith(pattern[..^1], StringComparison.Ordinal) : string.Equals(pattern, name, StringComparison.Ordinal));
}

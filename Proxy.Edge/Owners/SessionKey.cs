using System.Security.Cryptography;
using System.Text;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Owners;

/// <summary>How much a scope's name says about where its turns belong.</summary>
internal enum ScopeStrength
{
    /// <summary>Unrelated conversations may share it: a cache key.</summary>
    Soft,

    /// <summary>Several conversations may share it; being together is of use to them, but no duty.</summary>
    Locality,

    /// <summary>It names one conversation: its turns belong to one edge.</summary>
    Hard,
}

/// <summary>Which session a scope's turns belong to.</summary>
/// <param name="Name">As <see cref="SessionClaim.Session"/>: the API key is part of it, so that two keys never meet.</param>
internal sealed record SessionKey(string Name, ScopeStrength Strength)
{
    private const char FallbackMark = '~';
    private const int RandomBytes = 8;

    /// <summary>The session of a scope; null for a turn that has none.</summary>
    public static SessionKey? Of(string keyId, TurnScope scope) => scope.Key is { } key
        ? new SessionKey(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{keyId}:{key}"))), StrengthOf(key))
        : null;

    /// <summary>
    /// A session for the same turns that is not the scope's own: nobody else can know its name, so there is nobody to claim it against.
    /// <code>9f86d081...0f00a08 -> 9f86d081...0f00a08~4be1a9c05d1f2e77</code>
    /// </summary>
    public SessionKey Fallback() => this with { Name = ScopeName + FallbackMark + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RandomBytes)) };

    /// <summary>The name of the scope's own session.</summary>
    public string ScopeName => Name.Split(FallbackMark)[0];

    /// <summary>True for a name made by <see cref="Fallback"/>.</summary>
    public bool IsFallback => Name.Contains(FallbackMark, StringComparison.Ordinal);

    private static ScopeStrength StrengthOf(string scopeKey) => scopeKey[..scopeKey.IndexOf(':', StringComparison.Ordinal)] switch
    {
        TurnScope.State or TurnScope.Thread => ScopeStrength.Hard,
        TurnScope.Session or TurnScope.Conversation => ScopeStrength.Locality,
        _ => ScopeStrength.Soft,
    };
}

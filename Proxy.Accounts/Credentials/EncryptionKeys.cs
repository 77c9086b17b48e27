using System.Security.Cryptography;

namespace Proxy.Accounts.Credentials;

/// <summary>
/// Keys for credentials at rest, as <c>Accounts:EncryptionKeys</c> gives them; the first one encrypts, all decrypt:
/// <code>2026-11:3q2+7w...(32 bytes in base64),2026-05:...</code>
/// </summary>
internal sealed class EncryptionKeys
{
    private readonly Dictionary<string, byte[]> _keys = new(StringComparer.Ordinal);

    private EncryptionKeys(string current) => CurrentId = current;

    /// <summary>The id of the key that encrypts.</summary>
    public string CurrentId { get; }

    /// <summary>The key of that id, or null where it was taken out of the configuration.</summary>
    public byte[]? Find(string id) => _keys.GetValueOrDefault(id);

    /// <summary>Parses the setting.</summary>
    /// <exception cref="FormatException">With what is wrong, and never with a key.</exception>
    public static EncryptionKeys Parse(string? setting)
    {
        EncryptionKeys? keys = null;
        foreach (var entry in (setting ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var colon = entry.IndexOf(':', StringComparison.Ordinal);
            var key = new byte[32];
            if (colon is < 1 or > 64 || !Convert.TryFromBase64String(entry[(colon + 1)..], key, out var length) || length != key.Length)
            {
                throw new FormatException("Accounts:EncryptionKeys wants id:key[,id:key...], each key 32 bytes in base64, each id 1 to 64 characters.");
            }
            keys ??= new EncryptionKeys(entry[..colon]);
            if (!keys._keys.TryAdd(entry[..colon], key))
            {
                throw new FormatException($"Accounts:EncryptionKeys has two keys with the id {entry[..colon]}.");
            }
        }
        return keys ?? throw new FormatException("Accounts:EncryptionKeys is empty; credentials are never stored in clear.");
    }

    /// <summary>A new setting with one key.</summary>
    public static string Generate(string id) => $"{id}:{Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))}";
}

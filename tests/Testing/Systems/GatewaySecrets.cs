using System.Security.Cryptography;

namespace Testing.Systems;

/// <summary>The secrets of one gateway; a service gets those it needs.</summary>
internal sealed record GatewaySecrets(string InternalToken, string AdminToken, string EncryptionKeys)
{
    /// <summary>New ones.</summary>
    public static GatewaySecrets Create() => new(NewToken(), NewToken(), $"k1:{Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))}");

    private static string NewToken() => RandomNumberGenerator.GetHexString(48, lowercase: true);
}

using System.Security.Cryptography;
using System.Text;
using ServiceDefaults.Security;

namespace Proxy.Accounts.Credentials;

/// <summary>
/// Seals credentials with AES-256-GCM. The account id is associated data, so a sealed credential copied to another account does not open.
/// <code>
/// byte 0        length of the key id
/// ...           key id (UTF-8)
/// 12 bytes      nonce
/// 16 bytes      tag
/// the rest      ciphertext
/// </code>
/// </summary>
internal sealed class CredentialVault(Lazy<EncryptionKeys> keys)
{
    private const int NonceLength = 12;
    private const int TagLength = 16;

    /// <summary>Encrypts with the current key.</summary>
    public byte[] Seal(Guid accountId, Secret credential)
    {
        var keyId = Encoding.UTF8.GetBytes(keys.Value.CurrentId);
        var clear = Encoding.UTF8.GetBytes(credential.Reveal());
        var body = 1 + keyId.Length;
        var seal = new byte[body + NonceLength + TagLength + clear.Length];
        seal[0] = (byte)keyId.Length;
        keyId.CopyTo(seal, 1);
        var nonce = seal.AsSpan(body, NonceLength);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(keys.Value.Find(keys.Value.CurrentId)!, TagLength);
        aes.Encrypt(nonce, clear, seal.AsSpan(body + NonceLength + TagLength), seal.AsSpan(body + NonceLength, TagLength), accountId.ToByteArray());
        return seal;
    }

    /// <summary>Decrypts.</summary>
    /// <exception cref="CryptographicException">The key is not configured any more, or the seal is not this account's.</exception>
    public Secret Open(Guid accountId, ReadOnlySpan<byte> seal)
    {
        var body = seal.IsEmpty ? 0 : 1 + seal[0];
        if (seal.Length < body + NonceLength + TagLength || keys.Value.Find(KeyIdOf(seal)) is not { } key)
        {
            throw new CryptographicException($"The credential of account {accountId} is damaged, or was sealed with a key that Accounts:EncryptionKeys does not have.");
        }
        var clear = new byte[seal.Length - body - NonceLength - TagLength];
        using var aes = new AesGcm(key, TagLength);
        aes.Decrypt(seal.Slice(body, NonceLength), seal[(body + NonceLength + TagLength)..], seal.Slice(body + NonceLength, TagLength), clear, accountId.ToByteArray());
        return new Secret(Encoding.UTF8.GetString(clear));
    }

    /// <summary>True when the seal should be made anew with the current key.</summary>
    public bool IsStale(ReadOnlySpan<byte> seal) => KeyIdOf(seal) != keys.Value.CurrentId;

    private static string KeyIdOf(ReadOnlySpan<byte> seal) =>
        seal.IsEmpty || seal.Length < 1 + seal[0] ? "" : Encoding.UTF8.GetString(seal.Slice(1, seal[0]));
}

using System.Security.Cryptography;
using System.Text;
using Proxy.Accounts.Credentials;
using ServiceDefaults.Security;

namespace Proxy.Accounts.Tests;

public sealed class CredentialTests
{
    private static readonly Guid Account = Guid.CreateVersion7();
    private static readonly string First = EncryptionKeys.Generate("first");
    private static readonly string Second = EncryptionKeys.Generate("second");

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" , ")]
    [InlineData("no-colon")]
    [InlineData(":AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [InlineData("id:not base64 at all, is it")]
    [InlineData("short:AAAAAAAAAAAAAAAAAAAAAA==")]
    [InlineData("long:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("twice:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,twice:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    public void A_setting_that_is_not_one_is_refused_without_quoting_a_key(string? setting)
    {
        var refusal = Assert.Throws<FormatException>(() => EncryptionKeys.Parse(setting));

        Assert.DoesNotContain("AAAA", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_key_encrypts_and_all_decrypt()
    {
        var keys = EncryptionKeys.Parse($" {Second} , {First} ");

        Assert.Equal("second", keys.CurrentId);
        Assert.NotNull(keys.Find("first"));
        Assert.Null(keys.Find("third"));
    }

    [Fact]
    public void A_sealed_credential_opens_and_shows_nothing_of_itself()
    {
        var vault = Vault(First);
        var seal = vault.Seal(Account, new Secret("sk-secret"));

        Assert.Equal("sk-secret", vault.Open(Account, seal).Reveal());
        Assert.DoesNotContain("sk-secret", Encoding.Latin1.GetString(seal), StringComparison.Ordinal);
        Assert.NotEqual(seal, vault.Seal(Account, new Secret("sk-secret")));
    }

    [Fact]
    public void A_seal_of_another_account_does_not_open() =>
        Assert.ThrowsAny<CryptographicException>(() => Vault(First).Open(Guid.CreateVersion7(), Vault(First).Seal(Account, new Secret("sk-secret"))));

    [Fact]
    public void After_a_rotation_old_seals_open_and_are_stale()
    {
        var old = Vault(First).Seal(Account, new Secret("sk-secret"));
        var rotated = Vault($"{Second},{First}");

        Assert.Equal("sk-secret", rotated.Open(Account, old).Reveal());
        Assert.True(rotated.IsStale(old));
        Assert.False(rotated.IsStale(rotated.Seal(Account, new Secret("sk-secret"))));
        Assert.ThrowsAny<CryptographicException>(() => Vault(Second).Open(Account, old));
    }

    [Fact]
    public void A_seal_that_was_cut_or_changed_anywhere_does_not_open()
    {
        var vault = Vault(First);
        var seal = vault.Seal(Account, new Secret("sk-secret"));
        for (var length = 0; length < seal.Length; length++)
        {
            var cut = seal[..length];
            Assert.ThrowsAny<CryptographicException>(() => vault.Open(Account, cut));
            vault.IsStale(cut);
        }
        for (var index = 0; index < seal.Length; index++)
        {
            var changed = seal.ToArray();
            changed[index] ^= 1;
            Assert.ThrowsAny<CryptographicException>(() => vault.Open(Account, changed));
        }
    }

    private static CredentialVault Vault(string keys) => new(new Lazy<EncryptionKeys>(EncryptionKeys.Parse(keys)));
}

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Simulator.Accounts;

/// <summary>
/// Encrypted content that only the organisation that minted it can open: it carries the organisation's mark instead of being encrypted,
/// so that it survives a restart of the simulator as the real one does.
/// </summary>
internal static class EncryptedContent
{
    private const string Prefix = "gAAAAAB";

    public static string Mint(Organisation organisation) =>
        Prefix + Base64Url.EncodeToString(Encoding.ASCII.GetBytes($"{organisation.Mark}.{RandomNumberGenerator.GetHexString(96, true)}"));

    public static bool Opens(string content, Organisation organisation)
    {
        if (!content.StartsWith(Prefix, StringComparison.Ordinal) || !Base64Url.IsValid(content.AsSpan(Prefix.Length)))
        {
            return false;
        }

        var plain = Encoding.ASCII.GetString(Base64Url.DecodeFromChars(content.AsSpan(Prefix.Length)));
        return plain.StartsWith(organisation.Mark + ".", StringComparison.Ordinal);
    }
}

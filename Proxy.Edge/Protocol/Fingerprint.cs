using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Proxy.Edge.Protocol;

/// <summary>
/// The name under which it is remembered who has encrypted something. Such content (reasoning, a compacted history) is a Fernet token or the like, <c>gAAAAABo3...</c>: what
/// begins it is random, so its two ends and its length tell it from any other, however long it is.
/// </summary>
internal static class Fingerprint
{
    private const int EndBytes = 64;
    private const int HashBytes = 16;

    /// <summary>The fingerprint of the string at hand.</summary>
    public static string Of(scoped ref Utf8JsonReader reader) => Of(reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : reader.ValueSpan);

    /// <summary>The fingerprint of some content: <c>enc_</c> and 22 characters.</summary>
    public static string Of(ReadOnlySpan<byte> content)
    {
        Span<byte> ends = stackalloc byte[EndBytes + EndBytes + sizeof(int)];
        ends.Clear();
        content[..Math.Min(EndBytes, content.Length)].CopyTo(ends);
        content[Math.Max(0, content.Length - EndBytes)..].CopyTo(ends[EndBytes..]);
        BinaryPrimitives.WriteInt32LittleEndian(ends[(EndBytes + EndBytes)..], content.Length);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(ends, hash);
        return "enc_" + Base64Url.EncodeToString(hash[..HashBytes]);
    }
}

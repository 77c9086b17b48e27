using System.IO.Compression;
using ZstdSharp;

namespace Proxy.Edge.Protocol;

/// <summary>The content codings (RFC 9110 section 8.4.1) that are read: those of clients' bodies, and of answers that upstream encodes although it was not asked to.</summary>
internal static class ContentCodings
{
    /// <summary>The plain bytes of a body; null for a coding that nobody here reads. Disposing the stream disposes <paramref name="encoded"/>.</summary>
    /// <param name="coding">The value of <c>Content-Encoding</c>; empty for none.</param>
    public static Stream? Decode(string coding, Stream encoded) => coding.Trim().ToLowerInvariant() switch
    {
        "" or "identity" => encoded,
        "zstd" => new DecompressionStream(encoded, leaveOpen: false),
        "gzip" => new GZipStream(encoded, CompressionMode.Decompress),
        "deflate" => new ZLibStream(encoded, CompressionMode.Decompress),
        "br" => new BrotliStream(encoded, CompressionMode.Decompress),
        _ => null,
    };

    /// <summary>True for what a decoder says of bytes that are none of its own; brotli's says <see cref="InvalidOperationException"/>.</summary>
    public static bool IsBroken(Exception exception) => exception is InvalidDataException or ZstdException or EndOfStreamException or InvalidOperationException;
}

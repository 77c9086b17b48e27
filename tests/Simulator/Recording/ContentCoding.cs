using System.IO.Compression;
using ZstdSharp;

namespace Simulator.Recording;

/// <summary>Undoes the content codings of a request body; Codex sends zstd.</summary>
internal static class ContentCoding
{
    /// <returns>The plain body; null for a coding that is not known or a body that is not in it.</returns>
    public static async Task<ReadOnlyMemory<byte>?> DecodeAsync(ReadOnlyMemory<byte> body, string? codings, CancellationToken cancellationToken)
    {
        // The coding that was applied last comes last.
        foreach (var coding in (codings ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Reverse())
        {
            if (coding is "identity")
            {
                continue;
            }

            var encoded = new MemoryStream(body.ToArray());
            await using Stream? decoder = coding.ToLowerInvariant() switch
            {
                "zstd" => new DecompressionStream(encoded),
                "gzip" or "x-gzip" => new GZipStream(encoded, CompressionMode.Decompress),
                "deflate" => new ZLibStream(encoded, CompressionMode.Decompress),
                "br" => new BrotliStream(encoded, CompressionMode.Decompress),
                _ => null,
            };
            if (decoder is null)
            {
                return null;
            }

            var plain = new MemoryStream();
            try
            {
                await decoder.CopyToAsync(plain, cancellationToken);
            }
            catch (Exception malformed) when (malformed is InvalidDataException or ZstdException or InvalidOperationException)
            {
                return null;
            }

            body = plain.ToArray();
        }

        return body;
    }
}

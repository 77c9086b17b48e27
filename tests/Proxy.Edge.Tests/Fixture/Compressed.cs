using System.IO.Compression;
using System.Text;
using ZstdSharp;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>Text in a content encoding.</summary>
internal static class Compressed
{
    public static byte[] With(string encoding, string text)
    {
        var bytes = new MemoryStream();
        using (Stream encoder = encoding switch
        {
            "gzip" => new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true),
            "deflate" => new ZLibStream(bytes, CompressionLevel.Fastest, leaveOpen: true),
            "br" => new BrotliStream(bytes, CompressionLevel.Fastest, leaveOpen: true),
            _ => new CompressionStream(bytes, leaveOpen: true),
        })
        {
            encoder.Write(Encoding.UTF8.GetBytes(text));
        }
        return bytes.ToArray();
    }
}

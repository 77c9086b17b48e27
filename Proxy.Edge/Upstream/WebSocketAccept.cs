using System.Security.Cryptography;
using System.Text;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Upstream;

/// <summary>Tells a server that has understood our upgrade from one, or a cache before one, that says 101 to anything (RFC 6455 section 4.1).</summary>
internal static class WebSocketAccept
{
    // RFC 6455 section 1.3.
    private const string Suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    /// <summary>True if the answer is to an upgrade with this key, and with nothing that was not offered.</summary>
    public static bool Answers(HttpResponseMessage response, string key) =>
        HeaderPolicy.ValueOf(response, "Sec-WebSocket-Accept")?.Trim() == For(key)
        && HeaderPolicy.ValueOf(response, "Sec-WebSocket-Extensions") is null
        && HeaderPolicy.ValueOf(response, "Sec-WebSocket-Protocol") is null;

    /// <summary>What a server answers to a key.</summary>
#pragma warning disable CA5350 // The protocol says SHA-1, and not to keep a secret.
    public static string For(string key) => Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + Suffix)));
#pragma warning restore CA5350
}

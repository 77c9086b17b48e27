using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Proxy.Edge.Sessions;

/// <summary>What an edge says of a turn that it sends on to another one. It is the same turn there: one id, one log row.</summary>
/// <param name="KeyId">The caller, as the first edge has found it.</param>
/// <param name="Session">Why it is sent there.</param>
/// <param name="BodyHash">Lower-case hex SHA-256 of the body.</param>
internal sealed record ForwardedTurn(Guid TurnId, DateTimeOffset AcceptedAt, string KeyId, string Session, string BodyHash);

/// <summary>
/// Signs what one edge tells another, bound to the edge it is for, method, path, body and time, so that nothing but this request can be made with it, and only now:
/// <code>
/// 1764090000123.0198f6...e1.1764090000100200.a2V5LTE.9f86d0...0f00a08.2c26b4...e7ae.6e340b...f9a1
/// issued (ms)  turn id     accepted (us)    key id  session           body hash    HMAC-SHA256
/// </code>
/// </summary>
internal sealed class ForwardToken(string internalToken)
{
    private const int Parts = 7;
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(30);

    // A key of its own: what is signed for one purpose must be of no use for another.
    private readonly byte[] _key = HMACSHA256.HashData(Encoding.UTF8.GetBytes(internalToken), "continuity: forwarded turns"u8);

    /// <summary>The token for a request to <paramref name="path"/>, its query included.</summary>
    /// <param name="edge">The address of the edge it is for, as that edge gives it.</param>
    public string Sign(ForwardedTurn turn, string edge, string method, string path, DateTimeOffset now)
    {
        var said = string.Create(CultureInfo.InvariantCulture,
            $"{now.ToUnixTimeMilliseconds()}.{turn.TurnId:N}.{turn.AcceptedAt.UtcTicks / TimeSpan.TicksPerMicrosecond}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(turn.KeyId))}.{turn.Session}.{turn.BodyHash}");
        return $"{said}.{Mac(said, edge, method, path)}";
    }

    /// <summary>What was signed; null for a token that is not of this system, not for this edge, not of this request, or not of now.</summary>
    public ForwardedTurn? Verify(string? token, string edge, string method, string path, DateTimeOffset now)
    {
        if (token?.Split('.') is not { Length: Parts } parts)
        {
            return null;
        }
        var said = token[..token.LastIndexOf('.')];
        if (!CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Mac(said, edge, method, path)), Encoding.UTF8.GetBytes(parts[^1])))
        {
            return null;
        }
        // Whoever signed it wrote it as above.
        var issued = DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(parts[0], CultureInfo.InvariantCulture));
        return (now - issued).Duration() > Lifetime ? null : new ForwardedTurn(
            Guid.ParseExact(parts[1], "N"),
            new DateTimeOffset(long.Parse(parts[2], CultureInfo.InvariantCulture) * TimeSpan.TicksPerMicrosecond, TimeSpan.Zero),
            Encoding.UTF8.GetString(Base64Url.DecodeFromChars(parts[3])), parts[4], parts[5]);
    }

    /// <summary>The hash of a body as tokens have it.</summary>
    public static string HashOf(ReadOnlySpan<byte> body) => Convert.ToHexStringLower(SHA256.HashData(body));

    private string Mac(string said, string edge, string method, string path) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes($"{edge.TrimEnd('/')}\n{method}\n{path}\n{said}")));
}

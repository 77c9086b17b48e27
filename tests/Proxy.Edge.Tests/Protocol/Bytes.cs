namespace Proxy.Edge.Tests.Protocol;

/// <summary>Input that nobody would think of.</summary>
internal static class Bytes
{
    private static readonly byte[][] Pieces =
        [.. new[] { "\\ud800", "\\u0000", "{", "}", "[", "]", "\"", "\\", ",", ":", "null", "1e999", "\0", "\n", "\"type\":", "\"stream_id\":\"a\"", "\ufeff" }.Select(System.Text.Encoding.UTF8.GetBytes)];

    /// <summary>Random bytes, or a valid body with pieces cut out, repeated, overwritten or put in.</summary>
    public static byte[] Mangle(Random random, byte[] valid)
    {
        if (random.Next(8) == 0)
        {
            var noise = new byte[random.Next(200)];
            random.NextBytes(noise);
            return noise;
        }
        var body = valid.ToList();
        for (var change = random.Next(1, 5); change > 0 && body.Count > 0; change--)
        {
            var at = random.Next(body.Count);
            var length = random.Next(1, Math.Min(30, body.Count - at) + 1);
            switch (random.Next(5))
            {
                case 0:
                    body.RemoveRange(at, length);
                    break;
                case 1:
                    body.InsertRange(at, body.GetRange(at, length));
                    break;
                case 2:
                    body[at] = (byte)random.Next(256);
                    break;
                case 3:
                    body.InsertRange(at, Pieces[random.Next(Pieces.Length)]);
                    break;
                default:
                    body.RemoveRange(at, body.Count - at);
                    break;
            }
        }
        return [.. body];
    }
}

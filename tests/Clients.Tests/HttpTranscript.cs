using System.Globalization;
using System.Text;

namespace Clients.Tests;

/// <summary>One request and its answer, or a WebSocket with all its text frames.</summary>
public sealed record HttpExchange(
    string RequestLine, IReadOnlyList<(string Name, string Value)> RequestHeaders, byte[] RequestBody,
    int Status, IReadOnlyList<(string Name, string Value)> ResponseHeaders, byte[] ResponseBody,
    IReadOnlyList<string> ClientFrames, IReadOnlyList<string> ServerFrames)
{
    public bool IsWebSocket => Status == 101;
}

/// <summary>Reads HTTP/1.1 (RFC 9112) and WebSocket frames (RFC 6455) from the two directions of a connection.</summary>
public static class HttpTranscript
{
    public static IEnumerable<HttpExchange> Read(byte[] fromClient, byte[] fromServer)
    {
        var (client, server) = (new Cursor(fromClient), new Cursor(fromServer));
        while (client.TryReadHead() is { } request)
        {
            var requestBody = client.ReadBody(request.Headers, hasBody: true);
            var response = server.TryReadHead();
            if (response is null)
            {
                yield break;
            }
            var status = int.Parse(response.Value.Line.Split(' ')[1], CultureInfo.InvariantCulture);
            if (status == 101)
            {
                yield return new HttpExchange(request.Line, request.Headers, requestBody, status, response.Value.Headers, [], [.. client.ReadFrames()], [.. server.ReadFrames()]);
                yield break;
            }
            var hasBody = status is not (204 or 304) && !request.Line.StartsWith("HEAD ", StringComparison.Ordinal);
            yield return new HttpExchange(request.Line, request.Headers, requestBody, status, response.Value.Headers, server.ReadBody(response.Value.Headers, hasBody), [], []);
        }
    }

    private sealed class Cursor(byte[] bytes)
    {
        private int _at;

        private Span<byte> Rest => bytes.AsSpan(_at);

        public (string Line, IReadOnlyList<(string Name, string Value)> Headers)? TryReadHead()
        {
            var end = Rest.IndexOf("\r\n\r\n"u8);
            if (end < 0)
            {
                return null;
            }
            var lines = Encoding.Latin1.GetString(Rest[..end]).Split("\r\n");
            _at += end + 4;
            return (lines[0], [.. lines.Skip(1).Select(line => (line[..line.IndexOf(':')].ToLowerInvariant(), line[(line.IndexOf(':') + 1)..].Trim()))]);
        }

        public byte[] ReadBody(IReadOnlyList<(string Name, string Value)> headers, bool hasBody)
        {
            if (headers.Any(header => header is { Name: "transfer-encoding", Value: "chunked" }))
            {
                return ReadChunks();
            }
            var length = headers.Where(header => header.Name == "content-length").Select(header => int.Parse(header.Value, CultureInfo.InvariantCulture)).FirstOrDefault();
            return hasBody ? Take(length) : [];
        }

        //  0                   1
        //  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
        // |F|     |opcode |M| length (7)  | length (16 or 64) | mask (32) | payload
        public IEnumerable<string> ReadFrames()
        {
            var message = new List<byte>();
            while (Rest.Length >= 2)
            {
                var (first, second) = (Take(1)[0], Take(1)[0]);
                long length = second & 0x7f;
                length = length switch
                {
                    126 => Take(2).Aggregate(0L, (sum, value) => (sum << 8) | value),
                    127 => Take(8).Aggregate(0L, (sum, value) => (sum << 8) | value),
                    _ => length,
                };
                var mask = (second & 0x80) != 0 ? Take(4) : [0, 0, 0, 0];
                var payload = Take((int)length);
                if ((first & 0x0f) > 2)
                {
                    continue;
                }
                message.AddRange(payload.Select((value, index) => (byte)(value ^ mask[index % 4])));
                if ((first & 0x80) != 0)
                {
                    yield return Encoding.UTF8.GetString([.. message]);
                    message.Clear();
                }
            }
        }

        private byte[] ReadChunks()
        {
            var body = new List<byte>();
            while (Rest.IndexOf("\r\n"u8) is >= 0 and var end)
            {
                var size = int.Parse(Encoding.ASCII.GetString(Rest[..end]).Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                _at += end + 2;
                body.AddRange(Take(size));
                Take(2);
                if (size == 0)
                {
                    break;
                }
            }
            return [.. body];
        }

        private byte[] Take(int count)
        {
            var taken = Rest[..Math.Min(count, Rest.Length)].ToArray();
            _at += taken.Length;
            return taken;
        }
    }
}

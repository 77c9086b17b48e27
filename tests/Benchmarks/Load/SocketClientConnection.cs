using System.Buffers.Binary;
using System.Text;

namespace Benchmarks.Load;

/// <summary>A WebSocket, read and written as frames (RFC 6455 section 5.2).</summary>
internal sealed class SocketClientConnection : IDisposable
{
    private const int Text = 0x1;
    private const int Close = 0x8;
    private const int Ping = 0x9;

    private readonly Connection _connection;

    /// <summary>Connects and shakes hands.</summary>
    /// <exception cref="IOException">The upgrade was refused.</exception>
    public SocketClientConnection(Uri address, ReadOnlySpan<byte> handshake)
    {
        // An idle one keeps its buffer, and there may be thousands.
        _connection = new Connection(address, bufferSize: 4096);
        _connection.Send(handshake);
        var head = AnswerHead.Read(_connection);
        if (head.Status != 101)
        {
            _connection.Dispose();
            throw new IOException($"The upgrade was answered {head.Status}.");
        }
    }

    /// <summary>A message as the frame of a client. A mask of zeros leaves it as it is, and what is sent again and again is encoded once.</summary>
    public static byte[] Frame(string message)
    {
        var text = Encoding.UTF8.GetBytes(message);
        var head = text.Length < 126 ? 2 : 4;
        var frame = new byte[head + 4 + text.Length];
        frame[0] = 0x80 | Text;
        if (head == 2)
        {
            frame[1] = (byte)(0x80 | text.Length);
        }
        else
        {
            frame[1] = 0x80 | 126;
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), checked((ushort)text.Length));
        }
        text.CopyTo(frame.AsSpan(head + 4));
        return frame;
    }

    /// <summary>Sends a frame and reads messages to the end of its turn; false if it did not complete.</summary>
    public bool RunTurn(ReadOnlySpan<byte> frame)
    {
        _connection.Send(frame);
        while (true)
        {
            var message = WaitForMessage(out var header);
            var start = message[..Math.Min(message.Length, 64)];
            var completed = start.IndexOf("\"response.completed\""u8) >= 0;
            var failed = start.IndexOf("\"error\""u8) >= 0 || start.IndexOf("\"response.failed\""u8) >= 0 || start.IndexOf("\"response.incomplete\""u8) >= 0;
            _connection.Use(header + message.Length);
            if (completed || failed)
            {
                return completed;
            }
        }
    }

    public void Dispose() => _connection.Dispose();

    private ReadOnlySpan<byte> WaitForMessage(out int header)
    {
        while (true)
        {
            int length;
            while (!TryReadHeader(_connection.Pending, out header, out length) || _connection.Pending.Length < header + length)
            {
                _connection.Fill();
            }
            var payload = _connection.Pending.Slice(header, length);
            switch (_connection.Pending[0] & 0xf)
            {
                case Ping:
                    // An unmasked payload of no bytes or few; a pong says the same.
                    _connection.Send([0x8a, (byte)(0x80 | length), 0, 0, 0, 0, .. payload]);
                    _connection.Use(header + length);
                    break;
                case Close:
                    throw new IOException("The WebSocket was closed.");
                default:
                    return payload;
            }
        }
    }

    private static bool TryReadHeader(ReadOnlySpan<byte> bytes, out int header, out int length)
    {
        (header, length) = (2, 0);
        if (bytes.Length < 2)
        {
            return false;
        }
        length = bytes[1] & 0x7f;
        if (length == 126)
        {
            header = 4;
            length = bytes.Length < 4 ? 0 : BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        }
        else if (length == 127)
        {
            header = 10;
            length = bytes.Length < 10 ? 0 : checked((int)BinaryPrimitives.ReadUInt64BigEndian(bytes[2..]));
        }
        return bytes.Length >= header;
    }
}

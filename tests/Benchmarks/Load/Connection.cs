using System.Net.Sockets;

namespace Benchmarks.Load;

/// <summary>
/// A TCP connection whose owner's thread waits in the kernel, which costs a load program the least; what has come and is not used yet.
/// </summary>
internal sealed class Connection : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Socket _socket;
    private byte[] _buffer;
    private int _start;
    private int _end;

    public Connection(Uri address, int bufferSize = 32 * 1024)
    {
        _buffer = new byte[bufferSize];
        _socket = new Socket(SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
            ReceiveTimeout = (int)Limit.TotalMilliseconds,
            SendTimeout = (int)Limit.TotalMilliseconds,
        };
        try
        {
            _socket.Connect(address.Host, address.Port);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    /// <summary>What has come and is not used yet.</summary>
    public ReadOnlySpan<byte> Pending => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Sends all of it.</summary>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[_socket.Send(bytes)..];
        }
    }

    /// <summary>Waits for more.</summary>
    /// <exception cref="IOException">The other end has closed.</exception>
    public void Fill()
    {
        if (_start == _end)
        {
            _start = _end = 0;
        }
        else if (_end == _buffer.Length)
        {
            if (_start == 0)
            {
                Array.Resize(ref _buffer, 2 * _buffer.Length);
            }
            Pending.CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        var read = _socket.Receive(_buffer.AsSpan(_end));
        _end += read > 0 ? read : throw new IOException("The connection was closed.");
    }

    /// <summary>Drops what has been used.</summary>
    public void Use(int count) => _start += count;

    /// <summary>Ends the connection without a word.</summary>
    public void Dispose() => _socket.Dispose();
}

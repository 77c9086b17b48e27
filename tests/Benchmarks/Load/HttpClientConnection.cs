using System.Buffers.Text;
using System.Diagnostics;

namespace Benchmarks.Load;

/// <summary>One HTTP/1.1 connection that is kept alive: a request, its whole answer, the next request.</summary>
internal sealed class HttpClientConnection(Uri address) : IDisposable
{
    // "7ffffff\r\n" is more than any chunk here.
    private const int LongestChunkLine = 16;

    private readonly Connection _connection = new(address);
    private byte[] _body = new byte[32 * 1024];
    private int _length;

    /// <summary>The body of the last answer, as far as it has come.</summary>
    public ReadOnlySpan<byte> Body => _body.AsSpan(0, _length);

    /// <summary>When the first byte of the last body came.</summary>
    public long FirstByte { get; private set; }

    /// <summary>Sends a request and reads its answer to the end; the status.</summary>
    /// <param name="onMore">Called whenever more of the body has come.</param>
    public int Exchange(ReadOnlySpan<byte> request, Action? onMore = null)
    {
        var head = Begin(request);
        if (head.Length is { } length)
        {
            while (length > 0)
            {
                length -= Take(length);
                onMore?.Invoke();
            }
            return head.Status;
        }
        while (ReadChunkLength() is > 0 and var chunk)
        {
            for (var left = chunk; left > 0;)
            {
                left -= Take(left);
            }
            SkipLine();
            onMore?.Invoke();
        }
        SkipLine();
        return head.Status;
    }

    /// <summary>Sends a request and reads the first piece of its answer only; the status.</summary>
    public int BeginStream(ReadOnlySpan<byte> request)
    {
        var head = Begin(request);
        if (head.Length is null && ReadChunkLength() is > 0 and var chunk)
        {
            Take(chunk);
        }
        return head.Status;
    }

    public void Dispose() => _connection.Dispose();

    private AnswerHead Begin(ReadOnlySpan<byte> request)
    {
        _length = 0;
        FirstByte = 0;
        _connection.Send(request);
        return AnswerHead.Read(_connection);
    }

    private int Take(int most)
    {
        if (_connection.Pending.IsEmpty)
        {
            _connection.Fill();
        }
        if (FirstByte == 0)
        {
            FirstByte = Stopwatch.GetTimestamp();
        }
        var bytes = _connection.Pending;
        bytes = bytes[..Math.Min(bytes.Length, most)];
        if (_length + bytes.Length > _body.Length)
        {
            Array.Resize(ref _body, Math.Max(2 * _body.Length, _length + bytes.Length));
        }
        bytes.CopyTo(_body.AsSpan(_length));
        _length += bytes.Length;
        _connection.Use(bytes.Length);
        return bytes.Length;
    }

    private int ReadChunkLength()
    {
        var line = WaitForLine();
        if (!Utf8Parser.TryParse(_connection.Pending[..line], out int length, out _, 'X'))
        {
            throw new IOException("No chunk where one begins.");
        }
        _connection.Use(line + 2);
        return length;
    }

    private void SkipLine() => _connection.Use(WaitForLine() + 2);

    private int WaitForLine()
    {
        int line;
        while ((line = _connection.Pending.IndexOf("\r\n"u8)) < 0)
        {
            if (_connection.Pending.Length > LongestChunkLine)
            {
                throw new IOException("No chunk where one begins.");
            }
            _connection.Fill();
        }
        return line;
    }
}

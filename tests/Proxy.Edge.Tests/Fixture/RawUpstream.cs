using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>An upstream that answers every connection's first bytes with the same bytes, for what no proper server would send.</summary>
internal sealed class RawUpstream : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly byte[] _answer;

    private readonly bool _staysOpen;

    /// <param name="staysOpen">It waits for more after its answer, as a server that has opened a socket does.</param>
    public RawUpstream(string answer, bool staysOpen = false)
    {
        _staysOpen = staysOpen;
        _answer = Encoding.UTF8.GetBytes(answer.ReplaceLineEndings("\r\n"));
        _listener.Start();
        _ = ServeAsync();
    }

    public string Address => $"http://{_listener.LocalEndpoint}/v1";

    public void Dispose() => _listener.Dispose();

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync();
                await using var stream = client.GetStream();
                _ = await stream.ReadAsync(new byte[64 << 10]);
                await stream.WriteAsync(_answer);
                if (!_staysOpen)
                {
                    client.Client.Shutdown(SocketShutdown.Send);
                }
                // Until the edge is done with it: closing with unread bytes would reset the connection.
                while (await stream.ReadAsync(new byte[64 << 10]) > 0)
                {
                }
            }
        }
        catch (Exception exception) when (exception is SocketException or IOException or ObjectDisposedException)
        {
            // Over.
        }
    }
}

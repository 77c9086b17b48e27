using System.Net;
using System.Net.Sockets;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>A link to upstream that takes nothing more for a while once an upload has begun, and then goes on.</summary>
internal sealed class SlowLink : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Uri _upstream;
    private readonly TimeSpan _pause;
    private readonly CancellationTokenSource _over = new();

    public SlowLink(Uri upstream, TimeSpan pause)
    {
        (_upstream, _pause) = (upstream, pause);
        // What the kernel takes in for us is not on its way.
        _listener.Server.ReceiveBufferSize = 64 << 10;
        _listener.Start();
        _ = ServeAsync();
    }

    public string Address => $"http://{_listener.LocalEndpoint}/v1";

    public void Dispose()
    {
        _over.Cancel();
        _listener.Dispose();
        _over.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                _ = CarryAsync(await _listener.AcceptTcpClientAsync(_over.Token));
            }
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Over.
        }
    }

    private async Task CarryAsync(TcpClient client)
    {
        using var upstream = new TcpClient();
        try
        {
            using (client)
            {
                await upstream.ConnectAsync(_upstream.Host, _upstream.Port, _over.Token);
                await Task.WhenAny(UpAsync(client.GetStream(), upstream.GetStream()), upstream.GetStream().CopyToAsync(client.GetStream(), _over.Token));
            }
        }
        catch (Exception exception) when (exception is SocketException or IOException or OperationCanceledException)
        {
            // Over.
        }
    }

    private async Task UpAsync(NetworkStream from, NetworkStream to)
    {
        var buffer = new byte[64 << 10];
        for (long carried = 0, read; (read = await from.ReadAsync(buffer, _over.Token)) > 0;)
        {
            await to.WriteAsync(buffer.AsMemory(0, (int)read), _over.Token);
            if (carried < buffer.Length && (carried += read) >= buffer.Length)
            {
                await Task.Delay(_pause, TimeProvider.System, _over.Token);
            }
        }
    }
}

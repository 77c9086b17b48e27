using System.Net;
using System.Net.Sockets;

namespace Testing.Stores;

/// <summary>
/// The way to a store, as a test can cut it: while it is closed, connections are reset and new ones refused, as if the store's
/// process had died; other tests that use the same server notice nothing.
/// </summary>
public sealed class StoreGate : IDisposable
{
    private readonly int _target;
    private readonly Lock _lock = new();
    private readonly HashSet<Socket> _sockets = [];
    private Socket? _listener;

    /// <summary>Opens a gate to a port on this machine.</summary>
    public StoreGate(int target)
    {
        _target = target;
        Listen(0);
        Port = ((IPEndPoint)_listener!.LocalEndPoint!).Port;
    }

    /// <summary>Where clients connect to.</summary>
    public int Port { get; }

    /// <summary>Lets connections through again.</summary>
    public void Open()
    {
        if (_listener is null)
        {
            Listen(Port);
        }
    }

    /// <summary>Resets all connections and refuses new ones.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _listener?.Dispose();
            _listener = null;
            foreach (var socket in _sockets)
            {
                Reset(socket);
            }
            _sockets.Clear();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Close();

    private static Socket Create() => new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    private static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It was closed by its other end.
        }
        socket.Dispose();
    }

    private void Listen(int port)
    {
        var listener = Create();
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        listener.Listen(512);
        lock (_lock)
        {
            _listener = listener;
        }
        _ = AcceptAsync(listener);
    }

    private async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await listener.AcceptAsync());
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The gate was closed.
        }
    }

    private async Task ServeAsync(Socket client)
    {
        var server = Create();
        lock (_lock)
        {
            _sockets.Add(client);
            _sockets.Add(server);
            if (_listener is null)
            {
                Close();
            }
        }
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _target);
            await Task.WhenAny(CopyAsync(client, server), CopyAsync(server, client));
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Either end is gone, and with it the connection.
        }
        lock (_lock)
        {
            _sockets.Remove(client);
            _sockets.Remove(server);
        }
        client.Dispose();
        server.Dispose();
    }

    private static async Task CopyAsync(Socket from, Socket to)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer) is > 0 and var read)
            {
                for (var sent = 0; sent < read;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent));
                }
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // As at the end of the stream.
        }
    }
}

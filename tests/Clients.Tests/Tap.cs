using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Clients.Tests;

/// <summary>The raw bytes of one TCP connection, both ways.</summary>
public sealed class TappedConnection
{
    private readonly MemoryStream _fromClient = new();
    private readonly MemoryStream _fromServer = new();

    public byte[] FromClient => Copy(_fromClient);

    public byte[] FromServer => Copy(_fromServer);

    internal Task PumpAsync(Stream client, Stream server, CancellationToken cancellationToken) => Task.WhenAny(
        CopyAsync(client, server, _fromClient, cancellationToken), CopyAsync(server, client, _fromServer, cancellationToken));

    private static async Task CopyAsync(Stream from, Stream to, MemoryStream record, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 << 10];
        int read;
        while ((read = await from.ReadAsync(buffer, cancellationToken)) > 0)
        {
            lock (record)
            {
                record.Write(buffer, 0, read);
            }
            await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
        }
    }

    private static byte[] Copy(MemoryStream record)
    {
        lock (record)
        {
            return record.ToArray();
        }
    }
}

/// <summary>Relays TCP to a target and keeps every byte: what the wire says, not what a library makes of it.</summary>
public sealed class Tap : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentQueue<TappedConnection> _connections = new();
    private readonly ConcurrentBag<Task> _relays = [];
    private readonly Task _accepting;
    private readonly Func<int> _targetPort;

    public Tap(Func<int> targetPort)
    {
        _targetPort = targetPort;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>What was exchanged so far, connection by connection.</summary>
    public IReadOnlyList<HttpExchange> Exchanges => [.. _connections.SelectMany(connection => HttpTranscript.Read(connection.FromClient, connection.FromServer))];

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_relays);
        _stopping.Dispose();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _relays.Add(RelayAsync(await _listener.AcceptTcpClientAsync(_stopping.Token)));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private async Task RelayAsync(TcpClient client)
    {
        using (client)
        using (var server = new TcpClient { NoDelay = true })
        {
            client.NoDelay = true;
            var connection = new TappedConnection();
            _connections.Enqueue(connection);
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, _targetPort(), _stopping.Token);
                await connection.PumpAsync(client.GetStream(), server.GetStream(), _stopping.Token);
            }
            catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException)
            {
                // One side has gone; closing tells the other.
            }
        }
    }
}

using System.Net.WebSockets;

namespace Proxy.Edge.Protocol;

/// <summary>How receiving a message ended.</summary>
internal enum MessageKind
{
    Text,
    Binary,

    /// <summary>Longer than allowed: it was read to its end and dropped.</summary>
    TooLarge,

    /// <summary>There was no memory for it: it was read to its end and dropped.</summary>
    NoRoom,

    /// <summary>The peer closed, or the connection broke.</summary>
    Closed,
}

/// <summary>
/// Whole messages over a WebSocket, the client's or upstream's. Sends of several tasks leave one after the other.
/// </summary>
internal sealed class MessageSocket(WebSocket socket, int maxMessageBytes) : IDisposable
{
    private const int MinReadBytes = 4096;
    private static readonly TimeSpan CloseBound = TimeSpan.FromSeconds(2);

    // Only one send may be under way on a WebSocket; this queue of senders is the socket's write side, not a lock around shared state.
    // Never disposed: whoever still waits in it has to be let through, to find the socket gone.
    private readonly SemaphoreSlim _sending = new(1);

    /// <summary>Why the peer closed; null when the connection broke.</summary>
    public int? CloseCode => (int?)socket.CloseStatus;

    /// <summary>True once we have closed our side: what still comes is of no use.</summary>
    public bool CloseSent => socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived);

    /// <summary>Receives one message into the buffer, which is cleared first.</summary>
    /// <exception cref="OperationCanceledException">Canceled; the socket cannot be used any more.</exception>
    public async Task<MessageKind> ReceiveAsync(PooledBody message, CancellationToken cancellationToken)
    {
        message.Clear();
        var (tooLarge, noRoom) = (false, false);
        try
        {
            while (true)
            {
                if (!message.TryReserve(MinReadBytes))
                {
                    noRoom = true;
                    message.Clear();
                }
                var result = await socket.ReceiveAsync(message.GetMemory(MinReadBytes), cancellationToken);
                if (result.MessageType == WebSocketMessageType.Close)
                {
                    return MessageKind.Closed;
                }
                message.Advance(result.Count);
                if (message.Length > maxMessageBytes)
                {
                    tooLarge = true;
                    message.Clear();
                }
                if (result.EndOfMessage)
                {
                    return tooLarge ? MessageKind.TooLarge : noRoom ? MessageKind.NoRoom : result.MessageType == WebSocketMessageType.Text ? MessageKind.Text : MessageKind.Binary;
                }
            }
        }
        catch (Exception exception) when (exception is WebSocketException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            return MessageKind.Closed;
        }
    }

    /// <summary>Waits, without a buffer, until there is something to receive.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        try
        {
            await socket.ReceiveAsync(Memory<byte>.Empty, cancellationToken);
        }
        catch (Exception exception) when (exception is WebSocketException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            // Receiving will tell.
        }
    }

    /// <summary>Sends one text message; false when the connection is gone.</summary>
    public async Task<bool> SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken);
        try
        {
            await socket.SendAsync(message, WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
            return true;
        }
        catch (Exception exception) when (exception is WebSocketException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            return false;
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Sends a Close frame, within a bound, and never throws.</summary>
    public async Task CloseAsync(WebSocketCloseStatus status, string reason)
    {
        using var bound = new CancellationTokenSource(CloseBound);
        try
        {
            await _sending.WaitAsync(bound.Token);
            try
            {
                await socket.CloseOutputAsync(status, reason, bound.Token);
            }
            finally
            {
                _sending.Release();
            }
        }
        catch (Exception exception) when (exception is WebSocketException or IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            socket.Abort();
        }
    }

    /// <summary>Cuts the connection.</summary>
    public void Abort() => socket.Abort();

    public void Dispose() => socket.Dispose();
}

using System.Net.WebSockets;

namespace Testing;

/// <summary>Whole messages of a WebSocket.</summary>
public static class WebSocketMessages
{
    /// <summary>The next message; null when the peer has closed.</summary>
    /// <exception cref="OperationCanceledException">None came within the limit.</exception>
    public static async Task<byte[]?> ReceiveMessageAsync(this WebSocket socket, TimeSpan limit)
    {
        using var bound = new CancellationTokenSource(limit);
        using var message = new MemoryStream();
        var buffer = new byte[16 << 10];
        while (true)
        {
            var result = await socket.ReceiveAsync(buffer, bound.Token);
            if (result.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }
            message.Write(buffer, 0, result.Count);
            if (result.EndOfMessage)
            {
                return message.ToArray();
            }
        }
    }
}

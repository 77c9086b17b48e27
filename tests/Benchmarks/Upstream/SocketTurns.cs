using System.Net.WebSockets;
using Microsoft.AspNetCore.Http;

namespace Benchmarks.Upstream;

/// <summary>Turns over WebSockets, one at a time on each.</summary>
internal sealed class SocketTurns(Answers answers, ResponseIds ids)
{
    // Longer than any frame of the load, and longer than any event.
    private const int RequestBytes = 2048;
    private const int EventBytes = 8192;

    /// <summary>Serves a socket until its client leaves.</summary>
    public async Task RunAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var request = new byte[RequestBytes];
        var id = new byte[ResponseIds.Length];
        try
        {
            for (var length = 0; ;)
            {
                var read = await socket.ReceiveAsync(request.AsMemory(length), context.RequestAborted);
                if (read.MessageType == WebSocketMessageType.Close)
                {
                    await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
                    return;
                }
                length += read.Count;
                if (read.EndOfMessage)
                {
                    ids.Next(id);
                    await AnswerAsync(socket, id, context.RequestAborted);
                    length = 0;
                }
            }
        }
        catch (Exception left) when (left is WebSocketException or IOException or OperationCanceledException)
        {
            // Clients of the load leave without a word.
        }
    }

    private async Task AnswerAsync(WebSocket socket, byte[] id, CancellationToken cancellationToken)
    {
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(EventBytes);
        foreach (var message in answers.Messages)
        {
            message.Write(id, buffer);
            await socket.SendAsync(buffer.AsMemory(0, message.Length), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
        }
        System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
    }
}

using System.Buffers;
using System.Net.WebSockets;
using System.Text.Json;
using Simulator.Accounts;
using Simulator.Recording;
using Simulator.Responses;
using Simulator.Scripts;

namespace Simulator.Sockets;

/// <summary>A WebSocket: reads frames and hands them to the lanes, and writes what they answer.</summary>
internal sealed class SocketConnection : Connection, IAsyncDisposable
{
    // How long the client may take to answer a Close frame.
    private static readonly TimeSpan CloseGrace = TimeSpan.FromSeconds(2);

    private readonly Caller _caller;
    private readonly WebSocket _socket;
    private readonly Stream _stream;
    private readonly Simulation _simulation;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly CancellationTokenSource _over;
    private readonly Lanes _lanes;

    public SocketConnection(Caller caller, WebSocket socket, Stream stream, Simulation simulation)
    {
        (_caller, _socket, _stream, _simulation) = (caller, socket, stream, simulation);
        _over = new CancellationTokenSource(Timeout.InfiniteTimeSpan, simulation.Time);
        _lanes = new Lanes(this, caller.Account, caller.Exchange, simulation, _over.Token);
    }

    public override bool IsSocket => true;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_over.Token, cancellationToken);
        var buffer = new ArrayBufferWriter<byte>(16 * 1024);
        try
        {
            while (true)
            {
                var received = await _socket.ReceiveAsync(buffer.GetMemory(16 * 1024), either.Token);
                if (received.MessageType == WebSocketMessageType.Close)
                {
                    await AnswerCloseAsync(either.Token);
                    return;
                }

                buffer.Advance(received.Count);
                if (received.EndOfMessage)
                {
                    await TakeAsync(buffer.WrittenSpan.ToArray(), either.Token);
                    buffer.ResetWrittenCount();
                }
            }
        }
        catch (Exception dropped) when (dropped is WebSocketException or IOException or OperationCanceledException)
        {
            // The script ended it, the client did not answer a Close frame, or it dropped the connection: Codex always leaves that way
            //, and the server may notice it sooner than the socket does.
            _caller.Exchange.ClientAborted = !_caller.WasCut && !_over.IsCancellationRequested;
        }
        finally
        {
            await _over.CancelAsync();
        }
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, bool binary, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken);
        try
        {
            _caller.Exchange.Add(new Frame(FromClient: false, _simulation.Time.GetUtcNow(), bytes));
            await _socket.SendAsync(
                bytes, binary ? WebSocketMessageType.Binary : WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
        }
        catch (Exception gone) when (gone is WebSocketException or IOException or ObjectDisposedException)
        {
            throw new OperationCanceledException("The socket is gone.", gone);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>An unmasked ping without payload (RFC 6455 section 5.5.2); the framework has no call for one.</summary>
    public async ValueTask PingAsync(CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken);
        try
        {
            await _stream.WriteAsync(new byte[] { 0x89, 0x00 }, cancellationToken);
            await _stream.FlushAsync(cancellationToken);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Sends a Close frame, or without one ends the TCP stream.</summary>
    public async ValueTask EndAsync(CloseStep? close, CancellationToken cancellationToken)
    {
        if (close is null)
        {
            await _over.CancelAsync();
            return;
        }

        _caller.Exchange.ServerCloseCode = close.Code;
        await _sending.WaitAsync(cancellationToken);
        try
        {
            await _socket.CloseOutputAsync((WebSocketCloseStatus)close.Code, close.Reason, cancellationToken);
            _over.CancelAfter(CloseGrace);
        }
        catch (Exception gone) when (gone is WebSocketException or IOException or ObjectDisposedException)
        {
            // The client has gone, and with it the socket.
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Likewise: a stream that is torn down while it is written to says it so.
        }
        finally
        {
            _sending.Release();
        }
    }

    public override void Abort() => _caller.Abort();

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _lanes.DrainAsync();
        _over.Dispose();
    }

    private async ValueTask TakeAsync(byte[] message, CancellationToken cancellationToken)
    {
        var frame = new Frame(FromClient: true, _simulation.Time.GetUtcNow(), message);
        string? type;
        try
        {
            type = frame.Json.ValueKind == JsonValueKind.Object ? frame.Type : null;
        }
        catch (JsonException)
        {
            _caller.Exchange.Add(frame);
            await SendAsync(ApiError.Invalid("We could not parse the JSON of your message.").Frame(null), binary: false, cancellationToken);
            return;
        }

        var number = type == "response.create" ? _caller.Account.Next(Surface.WebSocket) : (int?)null;
        _caller.Exchange.Add(frame with { Turn = number });
        switch (type)
        {
            case "response.create":
                await _lanes.CreateAsync(message, number!.Value, cancellationToken);
                break;
            case "response.steer":
                await _lanes.SteerAsync(frame.Json, cancellationToken);
                break;
            case "response.interrupt":
                await _lanes.InterruptAsync(frame.Json, cancellationToken);
                break;
            default:
                // Unknown frame types are ignored.
                break;
        }
    }

    private async Task AnswerCloseAsync(CancellationToken cancellationToken)
    {
        _caller.Exchange.ClientCloseCode = (int?)_socket.CloseStatus;
        if (_socket.State == WebSocketState.CloseReceived)
        {
            await _socket.CloseOutputAsync(_socket.CloseStatus ?? WebSocketCloseStatus.NormalClosure, null, cancellationToken);
        }
    }
}

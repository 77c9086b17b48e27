using System.Text;
using Simulator.Scripts;
using Simulator.Turns;

namespace Simulator.Sockets;

/// <summary>One lane's side of a WebSocket.</summary>
internal sealed class SocketOutput(SocketConnection connection, string? streamId) : ITurnOutput
{
    public bool TerminalIsEnd => true;

    public ValueTask StartAsync(Turn turn, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask SendAsync(TurnEvent turnEvent, CancellationToken cancellationToken) =>
        connection.SendAsync(turnEvent.Json, binary: false, cancellationToken);

    public ValueTask SendRawAsync(string text, bool binary, CancellationToken cancellationToken) =>
        connection.SendAsync(Encoding.UTF8.GetBytes(text), binary, cancellationToken);

    public ValueTask PingAsync(CancellationToken cancellationToken) => connection.PingAsync(cancellationToken);

    public ValueTask RefuseAsync(StatusStep refusal, CancellationToken cancellationToken) =>
        connection.SendAsync(ScriptedEvents.Frame(refusal, streamId), binary: false, cancellationToken);

    public ValueTask EndAsync(CloseStep? close, CancellationToken cancellationToken) => connection.EndAsync(close, cancellationToken);

    public void Cut() => connection.Abort();
}

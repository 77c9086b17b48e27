using Simulator.Accounts;
using Simulator.Recording;
using Simulator.Scripts;
using Simulator.Sockets;
using Simulator.Turns;

namespace Simulator;

/// <summary>Everything the server knows: one per server.</summary>
internal sealed class Simulation(TimeProvider time)
{
    public TimeProvider Time { get; } = time;

    public AccountDirectory Accounts { get; } = new();

    public Script Script { get; } = new();

    public Record Record { get; } = new();

    public Gate Gate { get; } = new();

    /// <summary>Resets every connection of an account, or of all.</summary>
    public void Kill(string? account)
    {
        foreach (var connection in Connections(account))
        {
            connection.Abort();
        }
    }

    /// <summary>Closes the WebSockets of an account, or of all.</summary>
    public async Task CloseSocketsAsync(string? account, int code, CancellationToken cancellationToken)
    {
        foreach (var socket in Connections(account).OfType<SocketConnection>())
        {
            await socket.EndAsync(new CloseStep { Code = code }, cancellationToken);
        }
    }

    /// <summary>Sends a message on the WebSockets of an account, or on all, whatever they are doing.</summary>
    public async Task SendAsync(string? account, string text, CancellationToken cancellationToken)
    {
        foreach (var socket in Connections(account).OfType<SocketConnection>())
        {
            try
            {
                await socket.SendAsync(System.Text.Encoding.UTF8.GetBytes(text), binary: false, cancellationToken);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // Its client has gone; it may have gone for what it has just read.
            }
        }
    }

    private IEnumerable<Connection> Connections(string? account) =>
        Accounts.All.Where(a => account is null || a.Token == account).SelectMany(a => a.Connections);
}

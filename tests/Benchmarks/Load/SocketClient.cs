using System.Diagnostics;
using System.Net.Sockets;

namespace Benchmarks.Load;

/// <summary>Runs turns over one WebSocket, and counts them.</summary>
internal sealed class SocketClient(Target target) : IDisposable
{
    private SocketClientConnection? _connection;

    /// <summary>Milliseconds of the last turn.</summary>
    public double Whole { get; private set; }

    /// <summary>Runs a turn; false if it failed.</summary>
    public bool Run()
    {
        target.Tally.Sent();
        try
        {
            _connection ??= new SocketClientConnection(target.Address, target.Requests.Handshake);
            var began = Stopwatch.GetTimestamp();
            var completed = _connection.RunTurn(target.Requests.Frame);
            Whole = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            if (!completed)
            {
                target.Tally.Failed("a turn over a WebSocket did not complete");
            }
            return completed;
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            target.Tally.Failed(exception.Message);
            _connection?.Dispose();
            _connection = null;
            return false;
        }
    }

    public void Dispose() => _connection?.Dispose();
}

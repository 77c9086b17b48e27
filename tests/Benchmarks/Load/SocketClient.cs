using System.Diagnostics;
using System.Net.Sockets;
using Benchmarks.Targets;

namespace Benchmarks.Load;

/// <summary>Runs turns over one WebSocket, and counts them.</summary>
internal sealed class SocketClient : IDisposable
{
    private readonly Target _target;
    private SocketClientConnection _connection;

    public SocketClient(Target target)
    {
        _target = target;
        _connection = Connect();
    }

    /// <summary>Milliseconds of the last turn.</summary>
    public double Whole { get; private set; }

    /// <summary>Runs a turn; false if it failed.</summary>
    public bool Run()
    {
        _target.Tally.Sent();
        try
        {
            var began = Stopwatch.GetTimestamp();
            var completed = _connection.RunTurn(_target.Requests.Frame);
            Whole = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            if (!completed)
            {
                _target.Tally.Failed("a turn over a WebSocket did not complete");
            }
            return completed;
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            _target.Tally.Failed(exception.Message);
            _connection.Dispose();
            _connection = Connect();
            return false;
        }
    }

    public void Dispose() => _connection.Dispose();

    private SocketClientConnection Connect() => new(_target.Address, _target.Requests.Handshake);
}

using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Benchmarks.Load;

/// <summary>Runs turns over one HTTP connection, looks at how they end, and counts them.</summary>
internal sealed class TurnClient(Target target) : IDisposable
{
    private HttpClientConnection? _connection;

    /// <summary>The body of the last answer, as far as it has come.</summary>
    public ReadOnlySpan<byte> Body => _connection is { } open ? open.Body : default;

    /// <summary>Milliseconds to the first byte of the last body.</summary>
    public double FirstByte { get; private set; }

    /// <summary>Milliseconds to the end of the last answer.</summary>
    public double Whole { get; private set; }

    /// <summary>Runs a turn that is answered as JSON; false if it failed.</summary>
    public bool RunJson(ReadOnlySpan<byte> request) => Run(request, "\"status\":\"completed\""u8, null);

    /// <summary>Runs a turn that is answered as events; false if it failed.</summary>
    /// <param name="onMore">Called whenever more of the body has come.</param>
    public bool RunStream(ReadOnlySpan<byte> request, Action? onMore = null) => Run(request, "event: response.completed\n"u8, onMore);

    /// <summary>Begins a stream that says nothing after its first event, and leaves it open; false if it failed.</summary>
    public bool BeginSilent(ReadOnlySpan<byte> request)
    {
        target.Tally.Sent();
        try
        {
            _connection ??= new HttpClientConnection(target.Address);
            return Judge(_connection.BeginStream(request), "event: response.created\n"u8);
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            Drop(exception);
            return false;
        }
    }

    public void Dispose() => _connection?.Dispose();

    private bool Run(ReadOnlySpan<byte> request, ReadOnlySpan<byte> end, Action? onMore)
    {
        target.Tally.Sent();
        try
        {
            _connection ??= new HttpClientConnection(target.Address);
            var began = Stopwatch.GetTimestamp();
            var status = _connection.Exchange(request, onMore);
            Whole = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            FirstByte = Stopwatch.GetElapsedTime(began, _connection.FirstByte).TotalMilliseconds;
            return Judge(status, end);
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            Drop(exception);
            return false;
        }
    }

    private void Drop(Exception why)
    {
        target.Tally.Failed(why.Message);
        _connection?.Dispose();
        _connection = null;
    }

    private bool Judge(int status, ReadOnlySpan<byte> sign)
    {
        if (status == 200 && Body.IndexOf(sign) >= 0)
        {
            return true;
        }
        target.Tally.Failed($"{status}: {Encoding.UTF8.GetString(Body[..Math.Min(Body.Length, 200)])}");
        return false;
    }
}

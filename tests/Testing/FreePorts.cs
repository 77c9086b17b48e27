using System.Net;
using System.Net.Sockets;

namespace Testing;

/// <summary>Ports for processes that must be told theirs.</summary>
public static class FreePorts
{
    // Below the range of outgoing connections: a client that keeps trying the port of a server that has crashed could otherwise be given that very
    // port as its own, and keep the server from coming back. Each test process begins elsewhere.
    private static int _next = 20_000 + (Environment.ProcessId % 120 * 100);

    /// <summary>The first of <paramref name="count"/> free ports in a row, none of which was given before.</summary>
    public static int InARow(int count)
    {
        while (true)
        {
            var first = Interlocked.Add(ref _next, count) - count;
            if (Enumerable.Range(first, count).All(IsFree))
            {
                return first;
            }
        }
    }

    private static bool IsFree(int port)
    {
        using var probe = new TcpListener(IPAddress.Loopback, port);
        try
        {
            probe.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

using System.Net;
using System.Net.Sockets;

namespace Aspire.Hosting;

/// <summary>Ports on the loopback address that nothing listens on.</summary>
/// <remarks>
/// They lie below the range that the system gives to outgoing connections. While a crashed store is down, a client that
/// keeps trying its port could otherwise be given that very port as its own and so keep the store from coming back.
/// </remarks>
internal static class FreePort
{
    private const int First = 10_000;
    private const int End = 20_000;

    private static readonly Lock Gate = new();
    private static readonly HashSet<int> Given = [];

    /// <summary>A free port, each one once, also while nobody has bound it yet.</summary>
    public static int Next()
    {
        lock (Gate)
        {
            while (true)
            {
                var port = Random.Shared.Next(First, End);
                if (IsFree(port) && Given.Add(port))
                {
                    return port;
                }
            }
        }
    }

    /// <summary>Whether <paramref name="port"/> can be listened on.</summary>
    public static bool IsFree(int port)
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

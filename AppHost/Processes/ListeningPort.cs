using System.Net;
using System.Net.Sockets;

namespace AppHost.Processes;

/// <summary>Ports of the loopback address.</summary>
internal static class ListeningPort
{
    /// <summary>Whether nothing listens on <paramref name="port"/>, so that a process started now can.</summary>
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

using System.Net;
using System.Net.Sockets;

namespace Testing.Stores;

/// <summary>Ports on 127.0.0.1.</summary>
public static class Loopback
{
    /// <summary>A port that is free just now.</summary>
    public static int FreePort()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}

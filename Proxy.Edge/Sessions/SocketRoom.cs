using Microsoft.Extensions.Options;

namespace Proxy.Edge.Sessions;

/// <summary>How many upstream sockets there may be on this edge. When one more is needed the one that has been idle the longest gives way.</summary>
internal sealed class SocketRoom(SessionRegistry registry, IOptions<SessionsOptions> options)
{
    private int _taken;

    /// <summary>Takes room for a socket that is to be opened; false when all there may be are in use.</summary>
    public bool TryTake()
    {
        while (Interlocked.Increment(ref _taken) > options.Value.MaxSockets)
        {
            Interlocked.Decrement(ref _taken);
            if (!TryEvict())
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>What room was taken for has not come to be.</summary>
    public void Return() => Interlocked.Decrement(ref _taken);

    /// <summary>A socket has ended, or will; true the first time, when its room is free for another one.</summary>
    public bool TryReturn(SessionSocket socket)
    {
        var isFirst = socket.TryGiveRoomBack();
        if (isFirst)
        {
            Return();
        }
        return isFirst;
    }

    private bool TryEvict()
    {
        foreach (var socket in registry.All.SelectMany(session => session.Sockets).OrderBy(socket => socket.LastUsed))
        {
            if (!socket.TryEnter())
            {
                continue;
            }
            // Before it is closed: its end gives the room back as well, and whoever comes second would look for another one.
            var isRoom = TryReturn(socket);
            socket.Close("evicted");
            socket.Exit();
            if (isRoom)
            {
                return true;
            }
        }
        return false;
    }
}

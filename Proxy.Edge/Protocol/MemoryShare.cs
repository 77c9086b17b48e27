namespace Proxy.Edge.Protocol;

/// <summary>
/// Bytes that may be held at once, in a tree: the process, below it each API key, below that each of its sockets. What is taken counts at every level.
/// The first <see cref="FreeBytes"/> of a buffer are not counted: how many buffers there are is bounded by how many connections and lanes may be.
/// </summary>
/// <param name="parent">Of which this is a share; null for the whole.</param>
/// <param name="most">Bytes.</param>
internal sealed class MemoryShare(MemoryShare? parent, long most)
{
    /// <summary>Bytes of a buffer that cost nothing.</summary>
    public const int FreeBytes = 64 << 10;

    private long _taken;

    /// <summary>Bytes held now.</summary>
    public long Taken => Volatile.Read(ref _taken);

    /// <summary>The most that may be held.</summary>
    public long Most => most;

    /// <summary>Takes bytes; false, and nothing is taken, where a level would hold more than it may.</summary>
    public bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref _taken, bytes) > most || parent?.TryTake(bytes) == false)
        {
            Interlocked.Add(ref _taken, -bytes);
            return false;
        }
        return true;
    }

    /// <summary>Takes bytes that are here already, such as upstream's; whoever asks next finds them gone.</summary>
    public void Take(long bytes)
    {
        Interlocked.Add(ref _taken, bytes);
        parent?.Take(bytes);
    }

    /// <summary>Gives back what was taken.</summary>
    public void Return(long bytes)
    {
        Interlocked.Add(ref _taken, -bytes);
        parent?.Return(bytes);
    }
}

using Microsoft.Win32.SafeHandles;

namespace Proxy.Edge.Spool;

/// <summary>
/// A spool file. Writers claim their range with one atomic addition and write it on their own, so none waits for another;
/// a range that is claimed and not yet written reads as zeros.
/// </summary>
internal sealed class SpoolSegment : IDisposable
{
    private readonly SafeFileHandle _file;
    private long _claimed;
    private int _writers;
    private int _releases;
    private volatile bool _sealed;

    private SpoolSegment(string path, int order, SafeFileHandle file, long length, bool isSealed)
    {
        Path = path;
        Order = order;
        _file = file;
        _claimed = length;
        _sealed = isSealed;
    }

    public string Path { get; }

    /// <summary>A later segment has a higher one.</summary>
    public int Order { get; }

    /// <summary>Bytes claimed by writers.</summary>
    public long Length => Interlocked.Read(ref _claimed);

    /// <summary>True when no more bytes can come: sealed, and no writer is at work.</summary>
    public bool IsQuiet => _sealed && Volatile.Read(ref _writers) == 0;

    public static SpoolSegment Create(string path, int order)
    {
        var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(file, SpoolFiles.File);
        }
        return new(path, order, file, 0, isSealed: false);
    }

    public static SpoolSegment OpenSealed(string path, int order)
    {
        var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        return new SpoolSegment(path, order, file, RandomAccess.GetLength(file), isSealed: true);
    }

    /// <summary>Hands the line to the operating system, where it outlives this process; false when the segment takes no more lines.</summary>
    public bool TryAppend(ReadOnlySpan<byte> line)
    {
        Interlocked.Increment(ref _writers);
        try
        {
            if (_sealed)
            {
                return false;
            }
            RandomAccess.Write(_file, line, Interlocked.Add(ref _claimed, line.Length) - line.Length);
            return true;
        }
        finally
        {
            Interlocked.Decrement(ref _writers);
        }
    }

    /// <summary>Takes no more lines from now on.</summary>
    public void Seal() => _sealed = true;

    /// <summary>Reads from a position; returns how many bytes were there.</summary>
    public int Read(Span<byte> buffer, long position) => RandomAccess.Read(_file, buffer, position);

    /// <summary>A reader has no more use for it; returns how many have said so.</summary>
    public int Release() => Interlocked.Increment(ref _releases);

    public void Delete()
    {
        Dispose();
        File.Delete(Path);
    }

    public void Dispose() => _file.Dispose();
}

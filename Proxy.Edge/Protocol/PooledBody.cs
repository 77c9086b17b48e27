using System.Buffers;

namespace Proxy.Edge.Protocol;

/// <summary>Bytes in a rented buffer that grows as it is written. The one who has it returns it.</summary>
/// <param name="share">Of which a large buffer takes its bytes; null counts them nowhere.</param>
/// <param name="isHere">The bytes are on their way and cannot be refused: they are taken, whether or not there is room.</param>
internal sealed class PooledBody(int initialCapacity = 16 << 10, MemoryShare? share = null, bool isHere = false) : IBufferWriter<byte>, IDisposable
{
    // A buffer that is larger goes back when its message was read: the next one is seldom as large.
    private const int MostKeptBytes = 256 << 10;
    private const int SmallBytes = 4 << 10;

    // What the pool has back it keeps, and counts nowhere: a large buffer goes to the collector instead.
    private const int MostPooledBytes = 512 << 10;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(Math.Min(initialCapacity, MemoryShare.FreeBytes));

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Memory => _buffer.AsMemory(0, Length);

    public ReadOnlySpan<byte> Span => _buffer.AsSpan(0, Length);

    public void Advance(int count) => Length += count;

    /// <summary>Makes room for so many more bytes; false where its share does not allow that.</summary>
    public bool TryReserve(int size)
    {
        if (_buffer.Length - Length >= size)
        {
            return true;
        }
        var larger = Math.Max(_buffer.Length * 2, Length + size);
        if (!TryTake(CostOf(larger) - CostOf(_buffer.Length)))
        {
            return false;
        }
        // What the pool gives may be larger than asked for; it is counted as what it is.
        var rented = Rent(larger);
        share?.Take(CostOf(rented.Length) - CostOf(larger));
        _buffer.AsSpan(0, Length).CopyTo(rented);
        Return(_buffer);
        _buffer = rented;
        return true;
    }

    /// <exception cref="InvalidOperationException">Its share does not allow that many; ask <see cref="TryReserve"/> first.</exception>
    public Memory<byte> GetMemory(int sizeHint = 0) => TryReserve(Math.Max(sizeHint, 1))
        ? _buffer.AsMemory(Length)
        : throw new InvalidOperationException("The share of memory is used up.");

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <summary>Forgets the bytes, and keeps the buffer unless it is a large one.</summary>
    public void Clear()
    {
        Length = 0;
        if (_buffer.Length > MostKeptBytes)
        {
            GiveBack();
            _buffer = ArrayPool<byte>.Shared.Rent(SmallBytes);
        }
    }

    /// <summary>Returns the buffer; may be called again.</summary>
    public void Dispose()
    {
        if (_buffer.Length > 0)
        {
            GiveBack();
            Length = 0;
        }
    }

    private void GiveBack()
    {
        share?.Return(CostOf(_buffer.Length));
        Return(_buffer);
        _buffer = [];
    }

    private static byte[] Rent(int bytes) => bytes > MostPooledBytes ? GC.AllocateUninitializedArray<byte>((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)bytes)) : ArrayPool<byte>.Shared.Rent(bytes);

    private static void Return(byte[] buffer)
    {
        if (buffer.Length <= MostPooledBytes)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private bool TryTake(long bytes)
    {
        if (share is null || bytes <= 0)
        {
            return true;
        }
        if (isHere)
        {
            share.Take(bytes);
            return true;
        }
        return share.TryTake(bytes);
    }

    private static long CostOf(int bufferBytes) => Math.Max(0, bufferBytes - MemoryShare.FreeBytes);
}

using System.Buffers.Text;
using System.Diagnostics;
using System.Text;

namespace Benchmarks.Upstream;

/// <summary>Bytes that are written again and again, with places for the response's id and, in some, for the time.</summary>
internal sealed class Template
{
    /// <summary>Stands where the id comes in; as long as an id.</summary>
    public static readonly string Id = new('~', ResponseIds.Length);

    /// <summary>Stands where the time comes in; as long as a time.</summary>
    public static readonly string Time = new('^', TimeLength);

    /// <summary>Digits of a time stamp.</summary>
    public const int TimeLength = 19;

    private readonly byte[] _bytes;
    private readonly int[] _ids;
    private readonly int _time;

    public Template(string text)
    {
        _bytes = Encoding.UTF8.GetBytes(text);
        var ids = new List<int>();
        for (var at = text.IndexOf(Id, StringComparison.Ordinal); at >= 0; at = text.IndexOf(Id, at + Id.Length, StringComparison.Ordinal))
        {
            ids.Add(at);
        }
        _ids = [.. ids];
        _time = text.IndexOf(Time, StringComparison.Ordinal);
    }

    public int Length => _bytes.Length;

    /// <summary>Writes it with an id, and with the time of now.</summary>
    public void Write(ReadOnlySpan<byte> id, Span<byte> to)
    {
        _bytes.CopyTo(to);
        foreach (var at in _ids)
        {
            id.CopyTo(to[at..]);
        }
        if (_time >= 0)
        {
            // A monotonic clock, which all processes of a machine share.
            _ = Utf8Formatter.TryFormat(Stopwatch.GetTimestamp(), to.Slice(_time, TimeLength), out _, new('D', TimeLength));
        }
    }
}

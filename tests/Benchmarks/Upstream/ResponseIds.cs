using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Benchmarks.Upstream;

/// <summary>Unique response ids of one length: a random beginning for the process, and a number.</summary>
internal sealed class ResponseIds
{
    /// <summary>As long as the API's own: <c>resp_</c> and fifty digits.</summary>
    public const int Length = 55;

    private const int CounterLength = 16;

    private readonly byte[] _beginning = Encoding.ASCII.GetBytes("resp_" + RandomNumberGenerator.GetHexString(Length - 5 - CounterLength, lowercase: true));
    private long _last;

    /// <summary>Writes the next id.</summary>
    public void Next(Span<byte> id)
    {
        _beginning.CopyTo(id);
        _ = Utf8Formatter.TryFormat(Interlocked.Increment(ref _last), id[_beginning.Length..], out _, new('x', CounterLength));
    }
}

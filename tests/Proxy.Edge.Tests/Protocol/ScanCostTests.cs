using System.Text;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Tests.Protocol;

/// <summary>
/// What a stranger sends costs work in proportion to its bytes. Counted are comparisons of ids and bytes that are allocated, which are the same on every machine; the
/// bodies are made at random from what the scanners look for, and mutated.
/// </summary>
public sealed class ScanCostTests
{
    private const int Bodies = 400;

    // An id that is kept is a string, an entry of a set and one of a list; an occurrence that is known already is a string. Both are refused beyond a number.
    private const int AllocatedAtMost = 2 << 20;
    private const int AllocatedPerByte = 12;

    private static readonly string[] Names =
    [
        "type", "id", "file_id", "file_ids", "input_file_id", "vector_store_id", "vector_store_ids", "container", "container_id", "skill_id", "encrypted_content",
        "input", "output", "item", "content", "prompt", "conversation", "client_metadata", "tools", "response", "error", "usage", "headers", "metadata", "x",
    ];

    [Fact]
    public void Reading_a_request_costs_a_few_comparisons_for_each_of_its_ids()
    {
        for (var seed = 0; seed < Bodies; seed++)
        {
            var body = new RandomBody(seed).Request();
            var counting = new CountingComparer();
            var allocated = AllocatedBy(() => TurnRequestScanner.Scan(body, counting));
            Assert.True(allocated <= AllocatedAtMost + (AllocatedPerByte * (long)body.Length), $"Seed {seed}: {allocated} bytes for {body.Length}.");
            Assert.True(counting.Calls <= body.Length, $"Seed {seed}: {counting.Calls} comparisons for {body.Length} bytes.");
        }
    }

    // The counter would count nothing where ids were looked up in another way.
    [Theory]
    [InlineData(2_000, 1)]
    [InlineData(1, 10_000)]
    [InlineData(100, 100)]
    public void Every_occurrence_of_an_id_is_looked_up_and_compared_with_few(int ids, int times)
    {
        var all = Enumerable.Repeat(Enumerable.Range(0, ids), times).SelectMany(each => each).Select(id => $"\"file-{id}\"");
        var counting = new CountingComparer();
        var (request, error) = TurnRequestScanner.Scan(Encoding.UTF8.GetBytes($$"""{"file_ids":[{{string.Join(',', all)}}]}"""), counting);
        Assert.Null(error);
        Assert.Equal(ids, request!.NamedIds.Count);
        Assert.InRange(counting.Calls, ids * times, 4 * ids * times);
    }

    // Upstream is no stranger, but what it sends is made of what strangers have sent it.
    [Fact]
    public void Reading_an_answer_allocates_no_more_than_its_size_allows()
    {
        for (var seed = 0; seed < Bodies; seed++)
        {
            var body = new RandomBody(seed).Request();
            var allocated = AllocatedBy(() =>
            {
                EventScanner.ReadHead(body);
                ResponseFactsReader.Read(body);
                OutputIds.OfEvent(body);
                RevealedFiles.Read(body);
            });
            Assert.True(allocated <= AllocatedAtMost + (AllocatedPerByte * (long)body.Length), $"Seed {seed}: {allocated} bytes for {body.Length}.");
        }
    }

    private static long AllocatedBy(Action scan)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        scan();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    /// <summary>Compares ids as they compare themselves, and counts how often it is asked.</summary>
    private sealed class CountingComparer : IEqualityComparer<OwnedId>
    {
        public int Calls { get; private set; }

        public bool Equals(OwnedId? left, OwnedId? right)
        {
            Calls++;
            return left == right;
        }

        public int GetHashCode(OwnedId id)
        {
            Calls++;
            return id.GetHashCode();
        }
    }

    /// <summary>A body that one seed makes: objects and arrays within each other, with the members that are looked for, and at times a byte that is wrong.</summary>
    private sealed class RandomBody(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly StringBuilder _text = new();
        private int _left;

        public byte[] Request()
        {
            _left = 1 << _random.Next(4, 18);
            WriteObject(depth: 0);
            var bytes = Encoding.UTF8.GetBytes(_text.ToString());
            if (_random.Next(4) == 0)
            {
                bytes[_random.Next(bytes.Length)] = (byte)_random.Next(256);
            }
            return bytes;
        }

        private void WriteObject(int depth)
        {
            _text.Append('{');
            var isFirst = true;
            do
            {
                _text.Append(isFirst ? "\"" : ",\"").Append(Names[_random.Next(Names.Length)]).Append("\":");
                isFirst = false;
                WriteValue(depth + 1);
            }
            while (_text.Length < _left && (depth == 0 || _random.Next(6) > 0));
            _text.Append('}');
        }

        private void WriteArray(int depth)
        {
            _text.Append('[');
            // Now and then very many.
            var most = _random.Next(20) == 0 ? 20_000 : _random.Next(8);
            for (var item = 0; item < most && _text.Length < _left; item++)
            {
                _text.Append(item == 0 ? "" : ",");
                WriteValue(depth + 1);
            }
            _text.Append(']');
        }

        private void WriteValue(int depth)
        {
            switch (_random.Next(depth < 100 ? 10 : 6))
            {
                case 0:
                    _text.Append(_random.Next());
                    break;
                case 1:
                    _text.Append("\"id\\u005f").Append(_random.Next(5000)).Append('"');
                    break;
                case <= 5:
                    _text.Append("\"id").Append(_random.Next(5000)).Append('"');
                    break;
                case <= 7:
                    WriteObject(depth);
                    break;
                default:
                    WriteArray(depth);
                    break;
            }
        }
    }
}

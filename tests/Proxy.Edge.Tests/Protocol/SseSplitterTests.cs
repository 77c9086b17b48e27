using System.Buffers;
using System.Text;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Tests.Protocol;

public sealed class SseSplitterTests
{
    private const string Stream =
        ": comment\n\n" +
        "event: a\ndata: {\"n\":1}\n\n" +
        "\n" +
        "data:{\"n\":\ndata: 2}\nid: 7\n\n" +
        "event: b\r\ndata: {\"n\":3}\r\n\r\n" +
        "data: first\r\ndata: second\r\n\r\n" +
        "retry: 5\n\n" +
        "data\n\ndatabase: x\n\n" +
        "data: [DONE]\n\n";

    private static readonly string[] Data = ["", "{\"n\":1}", "", "{\"n\":\n2}", "{\"n\":3}", "first\nsecond", "", "", "", "[DONE]"];

    [Fact]
    public void A_stream_is_cut_at_its_empty_lines_and_no_byte_is_lost()
    {
        var (events, rest) = Split(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(Stream + "data: half")));
        Assert.Equal(Stream, string.Concat(events));
        Assert.Equal("data: half", rest);
        Assert.Equal(Data, events.Select(one => DataOf(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(one)))));
    }

    [Fact]
    public void Two_reads_give_the_same_events_wherever_the_first_one_ends()
    {
        var bytes = Encoding.UTF8.GetBytes(Stream);
        for (var cut = 0; cut <= bytes.Length; cut++)
        {
            // The first read alone, then its rest and the second read as a pipe hands them out: in two segments.
            var splitter = new SseSplitter();
            var (first, rest) = Split(new ReadOnlySequence<byte>(bytes, 0, cut), splitter);
            var (second, left) = Split(Segments(Encoding.UTF8.GetBytes(rest), bytes[cut..]), splitter);
            Assert.Equal("", left);
            Assert.Equal(Stream, string.Concat(first) + string.Concat(second));
            Assert.Equal(Data, first.Concat(second).Select(one => DataOf(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(one)))));

            var whole = Segments(bytes[..cut], bytes[cut..]);
            var data = new List<string>();
            while (splitter.TryReadEvent(ref whole, out var one))
            {
                data.Add(DataOf(one));
            }
            Assert.Equal(Data, data);
        }
    }

    [Theory]
    [InlineData("data: a\ndata: b", "a\nb")]
    [InlineData("data:  a", " a")]
    [InlineData("data: \r\n\r\n", "")]
    public void Data_is_read_as_the_standard_says(string sse, string data) => Assert.Equal(data, DataOf(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(sse))));

    private static (List<string> Events, string Left) Split(ReadOnlySequence<byte> buffer, SseSplitter? splitter = null)
    {
        splitter ??= new SseSplitter();
        var events = new List<string>();
        while (splitter.TryReadEvent(ref buffer, out var one))
        {
            events.Add(Encoding.UTF8.GetString(one));
        }
        return (events, Encoding.UTF8.GetString(buffer));
    }

    private static string DataOf(ReadOnlySequence<byte> sseEvent) => Encoding.UTF8.GetString(SseData.In(sseEvent.ToArray()));

    private static ReadOnlySequence<byte> Segments(byte[] first, byte[] second)
    {
        var start = new Segment(first, 0);
        var end = start.Append(second);
        return new ReadOnlySequence<byte>(start, 0, end, second.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(byte[] bytes, long index) => (Memory, RunningIndex) = (bytes, index);

        public Segment Append(byte[] bytes)
        {
            var next = new Segment(bytes, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}

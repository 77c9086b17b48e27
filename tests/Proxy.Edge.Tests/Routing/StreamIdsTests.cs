using System.Text;
using Proxy.Edge.Routing;
using Proxy.Edge.Tests.Protocol;

namespace Proxy.Edge.Tests.Routing;

public sealed class StreamIdsTests
{
    [Theory]
    [InlineData("""{"stream_id":"a","type":"t","model":"m"}""", """{"type":"t","model":"m"}""")]
    [InlineData("""{"type":"t","stream_id":"a","model":"m"}""", """{"type":"t","model":"m"}""")]
    [InlineData("""{"type":"t","stream_id":"a"}""", """{"type":"t"}""")]
    [InlineData("""{"stream_id":"a"}""", """{}""")]
    [InlineData("{ \"stream_id\" : \"a\" , \"b\" : 1 }", "{  \"b\" : 1 }")]
    [InlineData("{ \"b\" : 1 , \"stream_id\" : \"a\" }", "{ \"b\" : 1 }")]
    [InlineData("{\n  \"b\": 1,\n  \"stream_id\": \"a\",\n  \"c\": 2\n}", "{\n  \"b\": 1,\n  \"c\": 2\n}")]
    [InlineData("""{"stream\u005fid":"a","b":1}""", """{"b":1}""")]
    [InlineData("""{"x":{"stream_id":"no"},"y":["stream_id",{"stream_id":"no"}],"z":"\"stream_id\":\"no\",","stream_id":"a","b":1}""",
        """{"x":{"stream_id":"no"},"y":["stream_id",{"stream_id":"no"}],"z":"\"stream_id\":\"no\",","b":1}""")]
    [InlineData("""{"type":"t","x":{"stream_id":"no"}}""", """{"type":"t","x":{"stream_id":"no"}}""")]
    [InlineData("""{"a":"ü\u00fc😀","stream_id":"a","b":1e5}""", """{"a":"ü\u00fc😀","b":1e5}""")]
    public void The_name_is_cut_out_and_every_other_byte_stays(string frame, string stripped) =>
        Assert.Equal(stripped, Encoding.UTF8.GetString(StreamIds.Strip(Encoding.UTF8.GetBytes(frame))));

    [Theory]
    [InlineData("""{"type":"t"}""", """{"stream_id":"a","type":"t"}""")]
    [InlineData("""{}""", """{"stream_id":"a"}""")]
    [InlineData("{ }", "{\"stream_id\":\"a\" }")]
    [InlineData(" {\n \"type\" : 1 }", " {\"stream_id\":\"a\",\n \"type\" : 1 }")]
    [InlineData("text", "text")]
    [InlineData("[{}]", "[{}]")]
    public void The_name_is_put_in_front(string json, string named) =>
        Assert.Equal(named, Encoding.UTF8.GetString(StreamIds.Insert(Encoding.UTF8.GetBytes(json), "a")));

    [Theory]
    [InlineData("a", true)]
    [InlineData("A-z_0.9", true)]
    [InlineData("", false)]
    [InlineData("a b", false)]
    [InlineData("ä", false)]
    [InlineData("a\"", false)]
    public void Names_are_of_few_characters(string name, bool isValid) => Assert.Equal(isValid, StreamIds.IsValid(name));

    [Fact]
    public void Names_have_a_length()
    {
        Assert.True(StreamIds.IsValid(new string('a', 256)));
        Assert.False(StreamIds.IsValid(new string('a', 257)));
    }

    [Fact]
    public void What_is_put_in_comes_out_again()
    {
        var random = new Random(20_260_803);
        var valid = """{"type":"response.create","a":[1,{"stream_id":"x"}],"b":{"c":"\u00fc"},"d":null}"""u8.ToArray();
        for (var round = 0; round < 5_000; round++)
        {
            var frame = Bytes.Mangle(random, valid);
            var (request, _) = Edge.Protocol.TurnRequestScanner.Scan(frame);
            if (request is { StreamId: null } && frame[0] == '{' && Edge.Protocol.EventScanner.ReadStreamId(frame) is null)
            {
                Assert.Equal(frame, StreamIds.Strip(StreamIds.Insert(frame, "lane")));
            }
        }
    }
}

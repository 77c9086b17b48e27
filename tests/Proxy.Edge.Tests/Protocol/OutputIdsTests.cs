using System.Text;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Tests.Protocol;

public sealed class OutputIdsTests
{
    [Theory]
    [InlineData("""{"type":"response.output_item.done","item":{"type":"message","id":"msg_1","content":[{"id":"inner"}]}}""", "item:msg_1")]
    [InlineData("""{"item":{"type":"code_interpreter_call","id":"ci_1","container_id":"cntr_1"}}""", "item:ci_1,container:cntr_1")]
    [InlineData("""{"item":{"id":"msg_1","content":[{"annotations":[{"type":"container_file_citation","container_id":"cntr_1","file_id":"cfile_1"}]}]}}""", "item:msg_1,container:cntr_1")]
    [InlineData("""{"item":{"id":"has space"},"other":{"id":"msg_2"}}""", "")]
    [InlineData("""{"item":["msg_1"]}""", "")]
    [InlineData("""{"item":{"id":"msg_1","content":""", "item:msg_1")]
    public void An_event_about_an_item_tells_what_only_its_account_knows(string json, string ids) =>
        Assert.Equal(ids, Text(OutputIds.OfEvent(Encoding.UTF8.GetBytes(json))));

    [Theory]
    [InlineData("""{"type":"response.completed","response":{"id":"resp_1","output":[{"id":"rs_1"},{"id":"msg_1"},{"id":"rs_1"}]}}""", "item:rs_1,item:msg_1")]
    [InlineData("""{"id":"resp_1","output":[{"id":"msg_1"}],"status":"completed"}""", "item:msg_1")]
    [InlineData("""{"id":"resp_1","output":null,"status":"completed"}""", "")]
    public void So_does_a_whole_response(string json, string ids)
    {
        var facts = ResponseFactsReader.Read(Encoding.UTF8.GetBytes(json));
        Assert.Equal(("resp_1", ids), (facts.Id, Text(facts.Outputs)));
    }

    [Fact]
    public void What_is_encrypted_is_known_by_its_fingerprint()
    {
        var content = "gAAAAAB" + new string('x', 5_000) + "end";
        var ids = OutputIds.OfEvent(Encoding.UTF8.GetBytes($$$"""{"item":{"type":"reasoning","encrypted_content":"{{{content}}}"}}"""));
        Assert.Equal(new OwnedId(OwnedKinds.Encrypted, Fingerprint.Of(Encoding.UTF8.GetBytes(content))), Assert.Single(ids));
        Assert.Distinct([Fingerprint.Of("a"u8), Fingerprint.Of("aa"u8), Fingerprint.Of(""u8), Fingerprint.Of(Encoding.UTF8.GetBytes(content + "x")), Fingerprint.Of(Encoding.UTF8.GetBytes("x" + content))]);
    }

    private static string Text(IEnumerable<OwnedId> ids) => string.Join(',', ids.Select(id => $"{id.Kind}:{id.Id}"));
}

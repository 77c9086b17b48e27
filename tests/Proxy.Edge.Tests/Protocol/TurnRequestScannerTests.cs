using System.Text;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Tests.Protocol;

public sealed class TurnRequestScannerTests
{
    private const string Everything = """
        {"type":"response.create","model":"gpt-5.6","stream":true,"store":false,"background":true,"stream_id":"lane-1",
         "previous_response_id":"resp_1","conversation":{"metadata":{"id":"decoy"},"id":"conv_1"},
         "input":[{"type":"message","content":[{"type":"input_file","file_id":"file-1"},{"type":"input_text","text":"\"file_id\":\"decoy\""}]},
                  {"type":"reasoning","encrypted_content":"gAAA"}],
         "tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":["file-2","file-1",["nested"],{"x":"decoy"},"file-3"]}}],
         "prompt_cache_key":"cache","generate":false,"unknown":{"previous_response_id":"decoy","model":"decoy"},
         "client_metadata":{"session_id":"s","x":{"thread_id":"decoy"},"thread_id":"t","x-codex-turn-state":"ts"}}
        """;

    [Fact]
    public void Every_field_that_routing_needs_is_read_and_nothing_else()
    {
        var request = Accepted(Everything);
        Assert.Equal(
            ("response.create", "gpt-5.6", "lane-1", "resp_1", "conv_1", "cache"),
            (request.Type, request.Model, request.StreamId, request.PreviousResponseId, request.ConversationId, request.PromptCacheKey));
        Assert.Equal((true, false, true, true), (request.Stream, request.Store, request.Background, request.HasEncryptedContent));
        Assert.Equal(("ts", "s", "t"), (request.TurnState, request.SessionId, request.ThreadId));
        Assert.Equal(["file-1", "file-2", "file-3"], request.NamedIds.Select(named => named.Id));
    }

    [Fact]
    public void An_empty_object_has_the_defaults_of_the_api()
    {
        var request = Accepted("{}");
        Assert.Equal((false, true, false, false), (request.Stream, request.Store, request.Background, request.HasEncryptedContent));
        Assert.Null(request.Type ?? request.Model ?? request.StreamId ?? request.PreviousResponseId ?? request.ConversationId);
        Assert.Empty(request.NamedIds.Select(named => named.Id));
    }

    [Theory]
    [InlineData("""{"previous_response_id":"resp\u005f1"}""")]
    [InlineData("""{"previous\u005fresponse_id":"resp_1"}""")]
    [InlineData("""{ "x" : [ 1e999, -0.0, 123456789012345678901234567890 ] , "previous_response_id"  :  "resp_1" }""")]
    [InlineData("""{"store":"maybe","stream":null,"model":7,"client_metadata":[],"conversation":3,"previous_response_id":"resp_1"}""")]
    [InlineData("""{"text":"\ud83d\ude00 \ud800","previous_response_id":"resp_1"}""")]
    public void An_anchor_is_found_however_it_is_written(string json) => Assert.Equal("resp_1", Accepted(json).PreviousResponseId);

    [Theory]
    [InlineData("""{"conversation":"conv_1"}""", "conv_1")]
    [InlineData("""{"conversation":{"id":"conv_1"}}""", "conv_1")]
    [InlineData("""{"conversation":null}""", null)]
    [InlineData("""{"conversation":{"id":7}}""", null)]
    [InlineData("""{"conversation":[{"id":"decoy"}]}""", null)]
    public void A_conversation_is_an_id_or_an_object_with_one(string json, string? id) => Assert.Equal(id, Accepted(json).ConversationId);

    [Theory]
    [InlineData("""{"input":[{"file_id":"f"}]}""", "f")]
    [InlineData("""{"input":[{"a":{"b":[{"file_id":"f"}]}}]}""", "f")]
    [InlineData("""{"input":[{"file\u005fid":"f"}]}""", "f")]
    [InlineData("""{"tools":[{"file_ids":["f","f"]}]}""", "f")]
    [InlineData("""{"tools":[{"file_ids":[["no"],"f"]}]}""", "f")]
    [InlineData("""{"tools":[{"file_ids":[{"file_ids":["f"]},"g"]}]}""", "f,g")]
    [InlineData("""{"tools":[{"file_ids":"no"},{"file_ids":{"a":"no"}},["no"]]}""", "")]
    [InlineData("""{"input":[{"file_id":["no"]},{"file_id":null},{"file_id":""},{"text":"file_id"}]}""", "")]
    public void Files_are_found_at_any_depth(string json, string ids) => Assert.Equal(ids, string.Join(',', Accepted(json).NamedIds.Select(named => named.Id)));

    [Theory]
    [InlineData("""{"input":[{"type":"item_reference","id":"msg_1"}]}""", "item:msg_1")]
    [InlineData("""{"input":[{"id":"msg_1","type":"item_reference"}]}""", "item:msg_1")]
    [InlineData("""{"input":[{"id":"msg\u005f1"}]}""", "item:msg_1")]
    [InlineData("""{"input":[{"id":"msg_1","role":"user","content":"said before"},{"type":"reasoning","id":"rs_1"}]}""", "")]
    [InlineData("""{"tools":[{"type":"file_search","vector_store_ids":["vs_1","vs_2"]}]}""", "vector_store:vs_1,vector_store:vs_2")]
    [InlineData("""{"tools":[{"type":"code_interpreter","container":"cntr_1"}]}""", "container:cntr_1")]
    [InlineData("""{"tools":[{"type":"shell","environment":{"type":"container_reference","container_id":"cntr_1","skills":[{"type":"skill_reference","skill_id":"skill_1"}]}}]}""", "container:cntr_1,skill:skill_1")]
    [InlineData("""{"prompt":{"id":"pmpt_1","variables":{"x":{"type":"input_file","file_id":"file-1"}}}}""", "file:file-1,prompt:pmpt_1")]
    [InlineData("""{"input_file_id":"file-1","endpoint":"/v1/responses"}""", "file:file-1")]
    [InlineData("""{"prompt":"a cat","metadata":{"container":"mine","file_id":"mine"},"tools":[{"type":"function","parameters":{"default":{"container":"x"}}}]}""", "")]
    public void Whatever_one_account_only_knows_is_found(string json, string ids) =>
        Assert.Equal(ids, string.Join(',', Accepted(json).NamedIds.Select(named => $"{named.Kind}:{named.Id}")));

    [Fact]
    public void Of_what_is_encrypted_the_latest_counts_first()
    {
        var request = Accepted("{\"input\":[" + string.Join(',', Enumerable.Range(0, 20).Select(number => $"{{\"encrypted_content\":\"gAAA{number}\"}}")) + "]}");
        Assert.Equal(Enumerable.Range(12, 8).Reverse().Select(number => Fingerprint.Of(Encoding.UTF8.GetBytes($"gAAA{number}"))), request.Encrypted.Select(one => one.Id));
    }

    [Theory]
    [InlineData("""{"input":[{"encrypted_content":"x"}]}""", true)]
    [InlineData("""{"input":[{"encrypted_content":null}]}""", false)]
    [InlineData("""{"include":["reasoning.encrypted_content"]}""", false)]
    public void Encrypted_content_counts_where_there_is_some(string json, bool has) => Assert.Equal(has, Accepted(json).HasEncryptedContent);

    // If we took one of two equal names and upstream the other, an id would reach upstream that was never checked.
    [Theory]
    [InlineData("""{"previous_response_id":"a","previous_response_id":"b"}""", "previous_response_id")]
    [InlineData("""{"previous_response_id":"a","previous\u005fresponse_id":"a"}""", "previous_response_id")]
    [InlineData("""{"previous_response_id":"a","previous_response_id":""}""", "previous_response_id")]
    [InlineData("""{"conversation":"a","conversation":{"id":"b"}}""", "conversation")]
    [InlineData("""{"previous_response_id":null,"previous_response_id":"b"}""", "previous_response_id")]
    [InlineData("""{"previous_response_id":"a","previous_response_id":null}""", "previous_response_id")]
    [InlineData("""{"store":true,"store":false}""", "store")]
    [InlineData("""{"background":false,"background":true}""", "background")]
    [InlineData("""{"prompt_cache_key":"a","prompt_cache_key":"b"}""", "prompt_cache_key")]
    [InlineData("""{"client_metadata":{"thread_id":"a"},"client_metadata":{"thread_id":"b"}}""", "client_metadata")]
    [InlineData("""{"client_metadata":{"thread_id":"a","thread_id":"b"}}""", "client_metadata.thread_id")]
    [InlineData("""{"conversation":{"id":"a","id":"b"}}""", "conversation.id")]
    [InlineData("""{"stream_id":"a","stream_id":"b"}""", "stream_id")]
    [InlineData("""{"model":"a","model":"b"}""", "model")]
    [InlineData("""{"input":[{"type":"item_reference","id":"msg_mine","id":"msg_anothers"}]}""", "id")]
    [InlineData("""{"prompt":{"id":"pmpt_1","id":"pmpt_2"}}""", "id")]
    public void A_field_given_twice_is_refused(string json, string field)
    {
        var error = Refused(json);
        Assert.Equal((400, "invalid_value", field), (error.Status, error.Code, error.Param));
    }

    // One kilobyte of brotli says the same id a hundred million times.
    [Fact]
    public void The_same_file_again_and_again_is_too_many_in_the_end()
    {
        var most = string.Join(',', Enumerable.Repeat("\"file-1\"", 10_000));
        Assert.Equal(["file-1"], Accepted($$"""{"tools":[{"file_ids":[{{most}}]}]}""").NamedIds.Select(named => named.Id));
        Assert.Equal("input", Refused($$"""{"tools":[{"file_ids":[{{most}},"file-1"]}]}""").Param);
    }

    // Behind the first problem nothing is read: what stands there is not even JSON.
    [Theory]
    [InlineData("""{"model":"a","model":"b" no""", "model")]
    [InlineData("""{"input":[{"file_id":"LONG"},[[[{"file_id": no""", "file_id")]
    public void Reading_stops_at_the_first_problem(string json, string field) =>
        Assert.Equal(field, Refused(json.Replace("LONG", new string('f', 513), StringComparison.Ordinal)).Param);

    [Theory]
    [InlineData("previous_response_id")]
    [InlineData("stream_id")]
    [InlineData("model")]
    public void An_id_that_is_too_long_is_refused(string field)
    {
        Assert.NotNull(Accepted($$"""{"{{field}}":"{{new string('x', 512)}}"}"""));
        var error = Refused($$"""{"{{field}}":"{{new string('x', 513)}}"}""");
        Assert.Equal((400, "invalid_value", field), (error.Status, error.Code, error.Param));
    }

    [Fact]
    public void What_only_expresses_a_preference_is_never_a_reason_to_refuse()
    {
        var lengthy = new string('x', 5000);
        var request = Accepted($$"""
            {"prompt_cache_key":"{{lengthy}}","client_metadata":{"x-codex-turn-state":"{{lengthy}}","session_id":"{{lengthy}}","thread_id":"t"} }
            """);
        Assert.Equal("t", request.ThreadId);
    }

    // An id beyond a silent limit would be sent upstream without having been checked.
    [Fact]
    public void More_files_than_can_be_checked_are_refused()
    {
        static string Files(int count) => "{\"input\":[" + string.Join(',', Enumerable.Range(0, count).Select(number => $"{{\"file_id\":\"f{number}\"}}")) + "]}";
        Assert.Equal(2000, Accepted(Files(2000)).NamedIds.Count);
        Assert.Equal((400, "invalid_value", "input"), (Refused(Files(2001)).Status, Refused(Files(2001)).Code, Refused(Files(2001)).Param));
        Assert.Equal("invalid_value", Refused($$"""{"input":[{"file_id":"{{new string('x', 513)}}"}]}""").Code);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("{\"a\":1")]
    [InlineData("{\"a\":1,}")]
    [InlineData("{\"a\" 1}")]
    [InlineData("{\"a\":tru}")]
    [InlineData("{} {}")]
    [InlineData("{}x")]
    [InlineData("{\"a\":01}")]
    [InlineData("{'a':1}")]
    [InlineData("{\"a\":\"\n\"}")]
    [InlineData("{\"model\":\"\\ud800\"}")]
    [InlineData("{\"previous_response_id\":\"\\udc00\\ud800\"}")]
    public void What_is_not_one_json_object_is_refused(string json)
    {
        var error = Refused(json);
        Assert.Equal((400, "invalid_json"), (error.Status, error.Code));
    }

    [Fact]
    public void Broken_utf8_in_a_field_that_is_read_is_refused() =>
        Assert.Equal("invalid_json", TurnRequestScanner.Scan([.. "{\"model\":\""u8, 0xff, 0xfe, .. "\"}"u8]).Error!.Code);

    [Fact]
    public void Nesting_is_followed_deep_but_not_for_ever()
    {
        static string Nested(int depth) => $$"""{"input":{{new string('[', depth)}}{{new string(']', depth)}}}""";
        Assert.NotNull(Accepted(Nested(250)));
        Assert.Equal("invalid_json", Refused(Nested(100_000)).Code);
    }

    [Fact]
    public void Whatever_comes_is_answered()
    {
        var random = new Random(20_260_801);
        var valid = Encoding.UTF8.GetBytes(Everything);
        for (var round = 0; round < 20_000; round++)
        {
            var body = Bytes.Mangle(random, valid);
            var (request, error) = TurnRequestScanner.Scan(body);
            Assert.True(request is null != error is null);
        }
    }

    private static TurnRequest Accepted(string json)
    {
        var (request, error) = TurnRequestScanner.Scan(Encoding.UTF8.GetBytes(json));
        Assert.Null(error);
        return request!;
    }

    private static ServiceDefaults.Http.ApiError Refused(string json)
    {
        var (request, error) = TurnRequestScanner.Scan(Encoding.UTF8.GetBytes(json));
        Assert.Null(request);
        return error!;
    }
}

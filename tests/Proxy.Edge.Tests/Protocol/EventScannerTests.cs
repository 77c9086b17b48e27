using System.Text;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Tests.Protocol;

public sealed class EventScannerTests
{
    private const string Delta =
        """{"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hel","logprobs":[],"obfuscation":"x"}""";

    private const string Completed = """
        {"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","object":"response","status":"completed","error":null,
         "output":[{"id":"msg_1","status":"decoy","usage":{"input_tokens":1},"error":{"code":"decoy"}}],
         "usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},"output_tokens":7,
                  "output_tokens_details":{"reasoning_tokens":2},"total_tokens":17},"metadata":{"id":"decoy"}}}
        """;

    [Theory]
    [InlineData("""{"type":"response.created","sequence_number":0,"response":{}}""", "Created", 0L, false)]
    [InlineData("""{"type":"response.completed","sequence_number":3}""", "Completed", 3L, true)]
    [InlineData("""{"sequence_number":3,"type":"response.incomplete"}""", "Incomplete", 3L, true)]
    [InlineData("""{"response":{"type":"response.created","sequence_number":1},"type":"response.failed"}""", "Failed", null, true)]
    [InlineData("""{"type":"error","sequence_number":"4"}""", "Error", null, true)]
    [InlineData("""{"type":"response\u002ecompleted","sequence_number":4}""", "Completed", 4L, true)]
    [InlineData("""{"type":"response.function_call_arguments.delta","sequence_number":4}""", "Delta", 4L, false)]
    [InlineData("""{"type":"response.output_item.done","item":{"type":"error"}}""", "Item", null, false)]
    [InlineData("""{"type":"keepalive","sequence_number":12}""", "Other", 12L, false)]
    [InlineData("""{"type":["error"],"sequence_number":1e99}""", "Other", null, false)]
    [InlineData("""{"type":null}""", "Other", null, false)]
    [InlineData("""{"type":"response.completed","sequence_number":8,"cut":""", "Completed", 8L, true)]
    [InlineData("""{"ty""", "Other", null, false)]
    [InlineData("""["response.completed"]""", "Other", null, false)]
    [InlineData("[DONE]", "Other", null, false)]
    [InlineData("", "Other", null, false)]
    [InlineData("""{"type":"\ud800.completed","sequence_number":3}""", "Other", null, false)]
    [InlineData("""{"\ud800\ud800":1,"type":"error"}""", "Other", null, false)]
    public void The_head_says_what_an_event_means(string json, string kind, long? sequence, bool isTerminal)
    {
        var head = EventScanner.ReadHead(Encoding.UTF8.GetBytes(json));
        Assert.Equal((kind, sequence, isTerminal), (head.Kind.ToString(), head.SequenceNumber, head.IsTerminal));
    }

    [Fact]
    public void A_completed_response_tells_its_id_status_and_usage()
    {
        var facts = Facts(Completed);
        Assert.Equal(("resp_1", "completed", null), (facts.Id, facts.Status, facts.Error?.Code));
        Assert.Equal(new TokenUsage(10, 4, 7, 2, 17), facts.Usage);
    }

    [Theory]
    // A whole answer, a chat completion, an embedding, and what upstreams leave out or get wrong.
    [InlineData("""{"id":"x","usage":{"input_tokens":3,"output_tokens":4}}""", 3L, 4L, 7L)]
    [InlineData("""{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}""", 3L, 4L, 7L)]
    [InlineData("""{"usage":{"input_tokens":-3,"output_tokens":"4","total_tokens":{"a":[1]}}}""", 0L, 0L, 0L)]
    public void Usage_has_several_spellings(string json, long input, long output, long total)
    {
        var usage = Facts(json).Usage!.Value;
        Assert.Equal((input, output, total), (usage.Input, usage.Output, usage.Total));
    }

    [Theory]
    [InlineData("""{"usage":null}""")]
    [InlineData("""{"usage":[]}""")]
    [InlineData("""{"response":{"usage":null}}""")]
    public void Usage_that_is_not_told_is_not_made_up(string json) => Assert.Null(Facts(json).Usage);

    // The shapes of an error: frame, flat event, response.failed, HTTP body; with the code in code, in type, or behind other fields.
    [Theory]
    [InlineData("""{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"m","param":"previous_response_id"}}""", "previous_response_not_found")]
    [InlineData("""{"type":"error","error":{"code":"previous_response_not_found","type":"invalid_request_error","message":"m"},"status":400}""", "previous_response_not_found")]
    [InlineData("""{"type":"error","code":"previous_response_not_found","message":"m","param":null,"sequence_number":3}""", "previous_response_not_found")]
    [InlineData("""{"type":"response.failed","response":{"id":"resp_1","error":{"code":"invalid_request_error","message":"m","param":"previous_response_id"}}}""", "invalid_request_error")]
    [InlineData("""{"type":"response.failed","response":{"error":{"message":"m","code":null,"type":"usage_limit_reached"}}}""", "usage_limit_reached")]
    [InlineData("""{"type":"response.failed","response":{"error":{"type":"usage_limit_reached","code":null}}}""", "usage_limit_reached")]
    [InlineData("""{"type":"error","status":429,"error":{"type":"usage_limit_reached","message":"m"}}""", "usage_limit_reached")]
    [InlineData("""{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}""", "insufficient_quota")]
    [InlineData("""{"error":"text"}""", null)]
    [InlineData("""{"error":null}""", null)]
    [InlineData("""{"error":{"code":429,"message":"m"}}""", "429")]
    public void An_error_is_recognised_in_all_its_shapes(string json, string? code) => Assert.Equal(code, Facts(json).Error?.Code);

    [Fact]
    public void What_stands_behind_an_error_is_still_read()
    {
        var facts = Facts("""
            {"response":{"error":{"code":"a","type":"b","message":"m","resets_in_seconds":1.5},"id":"resp_1","status":"failed","usage":{"input_tokens":1,"output_tokens":2}}}
            """);
        Assert.Equal(("resp_1", "failed", "a", 1.5), (facts.Id, facts.Status, facts.Error?.Code, facts.Error?.RetryAfter?.TotalSeconds));
        Assert.Equal(3, facts.Usage!.Value.Total);
        Assert.NotNull(Facts("""{"error":{"code":"a","type":"b"},"usage":{"input_tokens":1}}""").Usage);
    }

    [Theory]
    [InlineData("1790000000", 1_790_000_000L)]
    [InlineData("1790000000.5", 1_790_000_000L)]
    [InlineData("0", null)]
    [InlineData("-1", null)]
    [InlineData("1e300", null)]
    [InlineData("253402300799", 253_402_300_799L)]
    [InlineData("\"soon\"", null)]
    public void A_reset_is_a_unix_time_or_none(string value, long? seconds) =>
        Assert.Equal(seconds, Facts($$$"""{"error":{"code":"x","resets_at":{{{value}}}}}""").Error?.ResetsAt?.ToUnixTimeSeconds());

    [Theory]
    [InlineData("""{"type":"x","stream_id":"a"}""", "a")]
    [InlineData("""{"nested":{"stream_id":"decoy"},"stream_id":"a"}""", "a")]
    [InlineData("""{"nested":{"stream_id":"decoy"}}""", null)]
    [InlineData("""{"stream_id":null}""", null)]
    [InlineData("""{"stream_id":"\ud800"}""", null)]
    [InlineData("text", null)]
    public void The_lane_is_the_one_at_the_top(string json, string? lane) => Assert.Equal(lane, EventScanner.ReadStreamId(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void An_event_that_only_passes_costs_no_allocation()
    {
        byte[] json = Encoding.UTF8.GetBytes(Delta), sse = Encoding.UTF8.GetBytes($"event: response.output_text.delta\ndata: {Delta}\n\n");
        var splitter = new SseSplitter();
        Scan(splitter, json, sse, rounds: 100);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var deltas = Scan(splitter, json, sse, rounds: 1000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(2000, deltas);

        static int Scan(SseSplitter splitter, byte[] json, byte[] sse, int rounds)
        {
            var deltas = 0;
            for (var round = 0; round < rounds; round++)
            {
                deltas += EventScanner.ReadHead(json).Kind == EventKind.Delta ? 1 : 0;
                var buffer = new System.Buffers.ReadOnlySequence<byte>(sse);
                deltas += splitter.TryReadEvent(ref buffer, out var one) && EventScanner.ReadHead(SseData.In(one.FirstSpan)).Kind == EventKind.Delta ? 1 : 0;
            }
            return deltas;
        }
    }

    [Fact]
    public void Whatever_upstream_sends_is_scanned()
    {
        var random = new Random(20_260_802);
        byte[][] valid = [Encoding.UTF8.GetBytes(Completed), Encoding.UTF8.GetBytes(Delta), Encoding.UTF8.GetBytes("""{"type":"error","stream_id":"a","error":{"code":"c","type":"t","resets_at":1,"resets_in_seconds":2}}""")];
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = Bytes.Mangle(random, valid[round % valid.Length]);
            _ = EventScanner.ReadHead(bytes);
            _ = ResponseFactsReader.Read(bytes);
            _ = EventScanner.ReadStreamId(bytes);
        }
    }

    private static ResponseFacts Facts(string json) => ResponseFactsReader.Read(Encoding.UTF8.GetBytes(json));
}

using System.Text;
using System.Text.Json.Nodes;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Tests.Protocol;

public sealed class ErrorEventsTests
{
    [Fact]
    public void A_failed_response_goes_on_with_the_sequence_and_ends_its_event()
    {
        var sse = Encoding.UTF8.GetString(ErrorEvents.SseFailed(Errors.StreamCut, "resp_1", 7));
        Assert.StartsWith("event: response.failed\ndata: {", sse, StringComparison.Ordinal);
        Assert.EndsWith("}\n\n", sse, StringComparison.Ordinal);
        var json = JsonNode.Parse(sse.Split('\n')[1]["data: ".Length..])!;
        Assert.Equal(("response.failed", 7), ((string?)json["type"], (int)json["sequence_number"]!));
        Assert.Equal(("resp_1", "failed", "stream_incomplete"), ((string?)json["response"]!["id"], (string?)json["response"]!["status"], (string?)json["response"]!["error"]!["code"]));
        Assert.False(json.AsObject().ContainsKey("stream_id"));
        // SDKs throw on a truthy error key at the top of an event.
        Assert.False(json.AsObject().ContainsKey("error"));
    }

    [Fact]
    public void As_a_frame_it_names_its_lane()
    {
        var json = JsonNode.Parse(ErrorEvents.FailedFrame(Errors.SocketCut(1011), null, 0, "a"))!;
        Assert.Equal(("response.failed", "a", 0), ((string?)json["type"], (string?)json["stream_id"], (int)json["sequence_number"]!));
        Assert.Contains("close_code=1011", (string?)json["response"]!["error"]!["message"], StringComparison.Ordinal);
        Assert.False(json["response"]!.AsObject().ContainsKey("id"));
    }

    [Fact]
    public void An_error_frame_has_a_numeric_status_and_all_four_keys()
    {
        var json = JsonNode.Parse(ErrorEvents.ErrorFrame(Errors.AtCapacity, "a"))!;
        Assert.Equal(("error", 429, "a", "1"), ((string?)json["type"], json["status"]!.GetValue<int>(), (string?)json["stream_id"], (string?)json["headers"]!["retry-after"]));
        Assert.Equal(["message", "type", "code", "param"], json["error"]!.AsObject().Select(field => field.Key));
    }

    [Fact]
    public void Without_a_lane_or_a_wait_the_frame_names_neither()
    {
        var json = JsonNode.Parse(ErrorEvents.ErrorFrame(Errors.BinaryFrame, null))!.AsObject();
        Assert.Equal(["type", "status", "error"], json.Select(field => field.Key));
    }
}

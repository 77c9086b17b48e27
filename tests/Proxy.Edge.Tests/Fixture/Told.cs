using System.Text.Json.Nodes;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>What a client is told when a turn cannot be helped, exactly.</summary>
internal static class Told
{
    public const string ClosedMessage = "Upstream websocket closed before response.completed";
    public const string OwnerAwayMessage = "Previous response owner account is unavailable; retry later.";
    public const string LookupFailedMessage = "Previous response owner lookup failed; retry later.";

    /// <summary>Masked: nothing of the not-found is left, the client will try again.</summary>
    public static void Masked(IReadOnlyList<JsonNode> events)
    {
        Assert.All(events, one => Assert.DoesNotContain("not_found", one.ToJsonString(), StringComparison.Ordinal));
        Failed(events, "stream_incomplete", 502);
        Assert.Equal(ClosedMessage, events[^1].Message());
    }

    /// <summary>An answer of the gateway: an error frame before the response has begun, after it a failed response that goes on where the events ended.</summary>
    public static void Failed(IReadOnlyList<JsonNode> events, string? code, int status, string? lane = null)
    {
        var last = events[^1];
        Assert.Equal((code, lane), (last.Code(), last.Lane()));
        var created = events.FirstOrDefault(one => one.Type() == "response.created");
        if (created is null)
        {
            Assert.Equal(("error", status), (last.Type(), last["status"]!.GetValue<int>()));
            return;
        }
        Assert.Equal(("response.failed", created.Id()), (last.Type(), last.Id()));
        Assert.Equal("failed", (string?)last["response"]!["status"]);
        Assert.Equal(events.SkipLast(1).Max(one => one.Sequence()) + 1, last.Sequence());
    }

    /// <summary>The cleaned not-found that lets a client rebuild from its history.</summary>
    public static void Canonical(JsonNode last)
    {
        Assert.Equal(("error", 400, "previous_response_not_found", "previous_response_id"),
            (last.Type(), last["status"]?.GetValue<int>(), last.Code(), (string?)last.Error()!["param"]));
        Assert.Null(last["headers"]);
    }

    /// <summary>A whole answer and nothing else: one created, one terminal, all of one response.</summary>
    public static void Completed(IReadOnlyList<JsonNode> events)
    {
        Assert.Equal("response.created", events[0].Type());
        Assert.Equal(("response.completed", events[0].Id()), (events[^1].Type(), events[^1].Id()));
        Assert.Single(events, one => one.Type() == "response.created");
        Assert.Equal(Enumerable.Range(0, events.Count).Select(number => (long)number), events.Select(one => one.Sequence()));
    }
}

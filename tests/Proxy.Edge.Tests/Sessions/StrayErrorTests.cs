using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Errors and ends that name no turn, or another one. One turn at a time runs on a socket.</summary>
public sealed class StrayErrorTests
{
    private const string Lost = """{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"Cannot continue conversation because upstream lost ANCHOR.","param":"previous_response_id"}}""";
    private const string LostFailed = """{"type":"response.failed","response":{"id":"resp_foreign","status":"failed","error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"Previous response with id 'ANCHOR' not found.","param":"previous_response_id"}}}""";
    private const string Anonymous = """{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"Previous response not found.","param":"previous_response_id"}}""";

    private const string Foreign = """{"type":"TYPE","response":{"id":"resp_foreign","status":"completed","usage":{"input_tokens":999,"output_tokens":999,"total_tokens":1998}}}""";

    // The turn on the socket is somebody else's.
    [Theory]
    [InlineData(Lost, true)]
    [InlineData(LostFailed, true)]
    [InlineData(LostFailed, false)]
    [InlineData(Lost, false)]
    public async Task An_anchor_that_nobody_has_is_swallowed(string text, bool followUp)
    {
        await using var edge = await StartAsync();
        var anchor = followUp ? await edge.LocalAnchorAsync() : null;
        var running = edge.CarryAsync("stalls", anchor);
        await StrayAsync(edge, text.Replace("ANCHOR", "resp_somebody_elses", StringComparison.Ordinal));
        var answer = await running;
        answer.Completed();
        Assert.DoesNotContain("not_found", answer.Body, StringComparison.Ordinal);
        await GoesOnAsync(edge, sockets: 1, turns: followUp ? 3 : 2);
    }

    // A turn that named no anchor and is told so all the same; it is alone on its socket.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_turn_without_an_anchor_reads_what_must_be_its_own(bool stream)
    {
        await using var edge = await StartAsync();
        var running = edge.CarryAsync("stalls", stream: stream);
        await StrayAsync(edge, Anonymous, releases: false);
        var answer = await running;
        Assert.Equal((stream ? 200 : 400, true), (answer.Status, answer.Body.Contains("\"code\":\"previous_response_not_found\"", StringComparison.Ordinal)));
        edge.Sim.Release();
        await GoesOnAsync(edge, sockets: null, turns: 2);
    }

    [Theory]
    [InlineData(Anonymous, true, true)]
    [InlineData(Anonymous, false, true)]
    [InlineData(Lost, true, true)]
    [InlineData(LostFailed, true, true)]
    [InlineData(Anonymous, true, false)]
    [InlineData(LostFailed, true, false)]
    public async Task A_follow_up_that_it_must_mean_ends_with_it(string text, bool stream, bool local)
    {
        await using var edge = await StartAsync();
        var anchor = local ? await edge.LocalAnchorAsync() : await edge.StoredAnchorAsync();
        var running = edge.CarryAsync("stalls", anchor, stream);
        await StrayAsync(edge, text.Replace("ANCHOR", anchor, StringComparison.Ordinal), releases: false);
        var answer = await running;
        if (!local)
        {
            answer.Masked();
        }
        else if (stream)
        {
            answer.Failed("previous_response_not_found");
        }
        else
        {
            answer.Canonical(anchor);
        }
        // Its own end may still come; the next turn gets nothing of it.
        edge.Sim.Release();
        await GoesOnAsync(edge, sockets: null, turns: 3);
    }

    [Theory]
    [InlineData("response.completed", "start")]
    [InlineData("response.completed", "created")]
    [InlineData("response.incomplete", "created")]
    [InlineData("response.failed", "created")]
    public async Task A_foreign_terminal_event_ends_no_turn(string type, string after)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Stalls(Position.Parse(after))));
        var running = edge.CarryAsync("stalls");
        await StrayAsync(edge, Foreign.Replace("TYPE", type, StringComparison.Ordinal));
        var answer = await running;
        answer.Completed();
        Assert.DoesNotContain("resp_foreign", answer.Body, StringComparison.Ordinal);
        await GoesOnAsync(edge, sockets: 1, turns: 2);
        Assert.DoesNotContain(edge.Accounts.Settled, turn => turn.OutputTokens == 999);
        Assert.DoesNotContain(edge.Continuity.Published, published => published.Id.Id == "resp_foreign");
    }

    private static Task<RunningEdge> StartAsync() =>
        RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Created)));

    private static async Task StrayAsync(RunningEdge edge, string text, bool releases = true)
    {
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await edge.Sim.SendToSocketsAsync(text);
        if (releases)
        {
            edge.Sim.Release();
        }
    }

    private static async Task GoesOnAsync(RunningEdge edge, int? sockets, int turns)
    {
        await Eventually.TrueAsync(() => edge.Sim.Account("a").InFlight == 0);
        await edge.GoesOnAsync();
        if (sockets is not null)
        {
            Assert.Equal(sockets, edge.HandshakesAt("a"));
        }
        await edge.QuietAsync(turns);
        Assert.Empty(edge.Accounts.Marks);
    }
}

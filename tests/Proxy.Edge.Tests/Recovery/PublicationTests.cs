using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Who has the end of an answer can send its follow-up to any edge, however the answer has ended.</summary>
public sealed class PublicationTests
{
    [Theory]
    [InlineData("socket", "completed")]
    [InlineData("socket", "failed")]
    [InlineData("socket", "cut")]
    [InlineData("stream", "completed")]
    [InlineData("stream", "failed")]
    [InlineData("stream", "cut")]
    [InlineData("json", "completed")]
    public async Task Whoever_has_the_end_has_a_known_owner(string surface, string end)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            // Slow enough for an end that does not wait to be there first.
            edge.Continuity.OnPublish = async _ =>
            {
                await Task.Delay(TimeSpan.FromMilliseconds(400), TimeProvider.System);
                return 204;
            };
            if (end != "completed")
            {
                edge.Sim.Script(rule => _ = end == "cut" ? rule.Cuts(Position.Created) : rule.Rejects("failed", 500, "server_error", after: Position.Created));
            }
        }, "Edge:PublicationWaitMs=10000");
        string last;
        if (surface == "socket")
        {
            using var socket = await edge.ConnectAsync();
            last = (await socket.AskAsync(Asking.Frame()))[^1].ToJsonString();
            Assert.NotEmpty(edge.Continuity.Published);
        }
        else
        {
            last = (await edge.AskAsync(Asking.HttpBody(Asking.Frame(), surface == "stream"))).Body;
            Assert.NotEmpty(edge.Continuity.Published);
        }
        // Once more with its items, where it had any.
        Assert.Single(edge.Continuity.Published.Select(publication => publication.Id).Distinct());
        Assert.Contains(end == "completed" ? "\"completed\"" : "response.failed", last, StringComparison.Ordinal);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    // The client goes while the end of its turn waits for the owner: the turn has ended all the same, and nothing waits for it.
    [Fact]
    public async Task A_client_that_goes_before_the_end_is_told_leaves_nothing()
    {
        var publication = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Continuity.OnPublish = _ => publication.Task;
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls());
        }, "Edge:PublicationWaitMs=10000");
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("ends", "x"));
            await socket.UntilAsync("response.output_item.done");
            await socket.SendAsync(Asking.Frame("stalls", "y"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await edge.Sim.WhenAsync(sim => sim.Account("a").InFlight == 1);
            socket.Raw.Abort();
        }
        // Its other turn tells when the edge has noticed.
        Assert.Equal("cancelled", (await edge.RowAsync()).Status);
        publication.SetResult(204);
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Single(edge.Continuity.Rows, row => row.Status == "success");
    }
}

using Proxy.Continuity.Contracts;
using Proxy.Edge.Tests.Fixture;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>An id of a megabyte passes to the client it is for, and is kept nowhere: not as an owner, not in a row, not in the spool.</summary>
public sealed class LongIdTests
{
    public static TheoryData<string> Surfaces => EachSurface.All;

    [Theory]
    [MemberData(nameof(Surfaces))]
    public async Task A_response_whose_id_is_a_megabyte_passes_and_is_no_anchor(string surface)
    {
        var id = "resp_" + new string('x', 1 << 20);
        await using var edge = await EachSurface.StartAsync(surface, edge => edge.Sim.Script(rule => rule.Once().WithId(id)));

        var events = await edge.AskAsync(surface, "response.completed");

        Assert.Equal(("response.created", "response.completed"), (events[0].Type(), events[^1].Type()));
        Assert.Equal((id, id), (events[0].Id(), events[^1].Id()));
        var row = await edge.RowAsync();
        Assert.Equal((TurnStatus.Success, null), (row.Status, row.RequestId));
        Assert.DoesNotContain(edge.Continuity.Published, published => published.Id.Id.Length > OwnedId.MaxLength);
        Assert.InRange(edge.Spooled().Length, 0, 64 << 10);
        // Nobody can have it for an anchor, and everybody else goes on.
        Assert.Equal("response.completed", (await edge.AskAsync(surface, "response.completed"))[^1].Type());
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Count == 2);
    }

    // It passes to upstream as it came; that nothing is known of it is no reason to refuse the turn.
    [Fact]
    public async Task A_turn_state_that_is_too_long_is_not_looked_up()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("a", webSockets: false));
        var state = new string('s', 600);
        var answer = await edge.AskAsync(RunningEdge.Body(), ("x-codex-turn-state", state), ("thread-id", "t"));
        Assert.Contains("response.completed", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(edge.Continuity.Resolved.SelectMany(asked => asked.Ids), id => id.Id == state);
    }
}

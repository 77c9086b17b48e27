using Proxy.Edge.Tests.Fixture;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>An error on a socket with one turn is that turn's, whatever id it quotes: it ends at once, and not when its time is over.</summary>
public sealed class OnlyOneTests
{
    private const string Lost = """{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"Previous response with id 'resp_nobodys' not found.","param":"previous_response_id"}}""";
    private const string LostFailed = """{"type":"response.failed","response":{"id":"resp_nobodys","status":"failed","error":{"code":"previous_response_not_found","message":"Upstream lost resp_nobodys."}}}""";

    [Theory]
    [InlineData(Anyway.Socket, Lost)]
    [InlineData(Anyway.Socket, LostFailed)]
    [InlineData(Anyway.Session, Lost)]
    [InlineData(Anyway.Session, LostFailed)]
    public async Task An_error_that_quotes_nobodys_id_ends_the_only_turn(string surface, string error)
    {
        await using var edge = await Anyway.StartAsync(surface, edge => edge.Sim.Script(rule => rule.Once().Stalls()));
        var asked = surface == Anyway.Socket ? TypeOfAsync(edge) : BodyOfAsync(edge);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await edge.Sim.SendToSocketsAsync(error);
        Assert.Contains("previous_response_not_found", await asked, StringComparison.Ordinal);
        var row = await edge.RowAsync();
        Assert.Equal(("failed", "previous_response_not_found"), (row.Status, row.ErrorCode));
    }

    [Fact]
    public async Task A_follow_up_is_tried_once_more_as_if_its_own_anchor_were_quoted()
    {
        await using var edge = await RunningEdge.StartAsync();
        using var socket = await edge.ConnectAsync();
        var anchor = await socket.AnchorAsync();
        edge.Sim.Script(rule => rule.Once().Stalls());
        var asked = socket.AskAsync(Asking.Frame("next", anchor: anchor));
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await edge.Sim.SendToSocketsAsync(Lost);
        Told.Completed(await asked);
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Count == 2);
    }

    private static async Task<string> TypeOfAsync(RunningEdge edge)
    {
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync();
        return (await socket.UntilTerminalAsync())[^1];
    }

    private static async Task<string> BodyOfAsync(RunningEdge edge) => (await edge.CarryAsync()).Body;
}

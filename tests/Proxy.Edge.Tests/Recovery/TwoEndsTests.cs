using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Upstream may end a response twice: by an <c>error</c> event and then by <c>response.failed</c>, of which agents read the second only.</summary>
public sealed class TwoEndsTests
{
    public static TheoryData<string> Surfaces => EachSurface.All;

    [Theory]
    [MemberData(nameof(Surfaces))]
    public async Task What_follows_an_error_of_a_response_that_has_begun_passes_too(string surface)
    {
        await using var edge = await EachSurface.StartAsync(surface, edge => edge.Sim.Script(rule => rule.Once().Then(Error()).Fails("context_length_exceeded", "too long", Position.Created)));
        var events = await edge.AskAsync(surface, "response.failed");
        Assert.Equal(["response.created", "error", "response.failed"], events.Select(one => one.Type()));
        if (surface != EachSurface.Http)
        {
            Assert.Equal(Assert.Single(edge.Sim.Recorded.Sockets).Sent.Select(frame => frame.Text), events.Select(one => one.ToJsonString()));
        }
        Assert.Equal(("too long", events[0].Id()), (events[2].Message(), events[2].Id()));
        var row = await edge.RowAsync();
        Assert.Equal(("failed", "context_length_exceeded"), (row.Status, row.ErrorCode));
    }

    // An error that is not the end after all.
    [Theory]
    [MemberData(nameof(Surfaces))]
    public async Task A_response_that_goes_on_after_an_error_is_whole(string surface)
    {
        await using var edge = await EachSurface.StartAsync(surface, edge => edge.Sim.Script(rule => rule.Once().Then(Error())));
        var events = await edge.AskAsync(surface, "response.completed");
        Assert.Equal(("error", "response.completed"), (events[1].Type(), events[^1].Type()));
        Assert.Contains(events, one => one.Type() == "response.output_text.delta");
        Assert.Equal("success", (await edge.RowAsync()).Status);
    }

    // What upstream leaves out is not invented: direct clients would not get it either.
    [Theory]
    [MemberData(nameof(Surfaces))]
    public async Task An_error_that_nothing_follows_is_the_end(string surface)
    {
        await using var edge = await EachSurface.StartAsync(surface, edge => edge.Sim.Script(rule => rule.Once().Then(Error()).Stalls(Position.Created)));
        var events = await edge.AskAsync(surface, "error");
        Assert.Equal(["response.created", "error"], events.Select(one => one.Type()));
        var row = await edge.RowAsync();
        Assert.Equal(("failed", "context_length_exceeded"), (row.Status, row.ErrorCode));
        await Eventually.TrueAsync(() => edge.Accounts.Slots == 0);
    }

    [Fact]
    public async Task The_socket_lives_on_and_a_late_end_is_nobodys()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => rule.Once().WithId("resp_first").Then(Error() with { Continue = false }));
            edge.Sim.Script(rule => rule.Once().Stalls());
        });
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync();
        await socket.UntilAsync("error");
        await socket.CreateAsync("second");
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await edge.Sim.SendToSocketsAsync("""{"type":"response.failed","sequence_number":2,"response":{"id":"resp_first","status":"failed","error":{"code":"server_error","message":"late"}}}""");
        edge.Sim.Release();
        Assert.Equal("response.completed", JsonNode.Parse((await socket.UntilTerminalAsync())[^1])!.Type());
        Assert.Single(edge.Sim.Recorded.Sockets);
    }

    // Nothing of a not-found is shown to a client that is to try again.
    [Theory]
    [MemberData(nameof(Surfaces))]
    public async Task A_masked_error_stays_masked(string surface)
    {
        await using var edge = await EachSurface.StartAsync(surface, edge => edge.Sim.Script(rule => rule.Once().Then(Error()).Fails("invalid_api_key", "sk-secret", Position.Created)));
        var events = await edge.AskAsync(surface, "response.failed");
        Assert.Equal("upstream_authentication_failed", events[^1].Code());
        Assert.DoesNotContain("sk-secret", events[^1].ToJsonString(), StringComparison.Ordinal);
    }

    private static ErrorStep Error() => new() { After = Position.Created, Status = 400, Code = "context_length_exceeded", Message = "too long", Continue = true };
}

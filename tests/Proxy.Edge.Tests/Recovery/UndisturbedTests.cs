using Proxy.Edge.Routing;
using Proxy.Edge.Tests.Fixture;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>What goes wrong with one turn of a socket is nothing to the others, at the same time or later.</summary>
public sealed class UndisturbedTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nobody_waits_for_a_turn_that_is_sent_once_more(bool whileItConnects)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").When(when => when with { Contains = "limited" }).Errors(429, "usage_limit_reached"));
            edge.Sim.Script(rule => _ = whileItConnects ? rule.Account("b").OnUpgrade().Once().Stalls() : rule.Account("b").Once().Stalls());
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("limited", "x"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await socket.StillWorksAsync("y");
            await socket.StillWorksAsync("z");
            edge.Sim.Release();
            Assert.Contains("You said: limited", (await socket.UntilTerminalAsync("x"))[^1], StringComparison.Ordinal);
        }
        await edge.NothingIsLeftAsync(turns: 3, "a", "b");
    }

    // More lookups than turns may run at once: each gives back its place, leaves no turn on the upstream socket, and the edge can stop.
    [Fact]
    public async Task However_many_lookups_fail_the_socket_is_as_new()
    {
        const int lookups = 20;
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "breaks" }).Once().Cuts());
        });
        edge.Continuity.OnResolve = request => Task.FromResult(request.Ids.Count > 0 ? null : edge.Continuity.Resolve(request));
        using var socket = await edge.ConnectAsync();
        await socket.StillWorksAsync("x");
        for (var lookup = 0; lookup < lookups; lookup++)
        {
            await socket.SendAsync(Asking.Frame("second", "x", anchor: "resp_1"));
            Assert.Contains(Told.LookupFailedMessage, (await socket.UntilTerminalAsync("x"))[^1], StringComparison.Ordinal);
        }
        // It is sent once more only if it was alone.
        await socket.SendAsync(Asking.Frame("breaks", "y"));
        Assert.Contains("You said: breaks", (await socket.UntilTerminalAsync("y"))[^1], StringComparison.Ordinal);
        var stopping = edge.StopAsync();
        Assert.Null(await socket.ReceiveAsync());
        await socket.Raw.CloseOutputAsync(System.Net.WebSockets.WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        await stopping;
        // Rows that were on their way when the edge stopped may come twice.
        Assert.Equal(lookups + 2, edge.Continuity.Rows.DistinctBy(row => row.Id).Count());
    }

    [Theory]
    [InlineData("""{"type":"error","status":500,"error":{"type":"server_error","code":"server_error","message":"idle"}}""")]
    [InlineData("""{"type":"response.failed","sequence_number":1,"response":{"id":"resp_foreign","status":"failed","error":{"code":"server_error","message":"idle"}}}""")]
    public async Task An_error_on_an_idle_socket_is_not_left_for_the_next_turn(string error)
    {
        await using var edge = await RunningEdge.StartAsync();
        using (var socket = await edge.ConnectAsync())
        {
            await socket.AnchorAsync();
            await edge.Sim.SendToSocketsAsync(error);
            await Eventually.TrueAsync(() => edge.Counters.Of("continuity.swallowed") == 1);
            Told.Completed(await socket.AskAsync(Asking.Frame("next")));
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    [Fact]
    public void An_end_and_an_abandonment_exclude_each_other()
    {
        var abandoned = new SocketAttempt(null!, "", null!, null!);
        Assert.True(abandoned.TryAbandon(out var wasCreated));
        Assert.Equal((false, false, false, true), (wasCreated, abandoned.TryCreate(), abandoned.TryFinish(), abandoned.IsAbandoned));

        var finished = new SocketAttempt(null!, "", null!, null!);
        Assert.True(finished.TryCreate());
        Assert.True(finished.TryFinish());
        Assert.False(finished.TryAbandon(out _));
        Assert.False(finished.IsAbandoned);
    }
}

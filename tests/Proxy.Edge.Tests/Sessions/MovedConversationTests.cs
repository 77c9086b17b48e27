using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>A conversation that has moved to another account is not kept waiting by the sockets that it has on the one before.</summary>
public sealed class MovedConversationTests
{
    [Fact]
    public async Task Idle_sockets_on_the_account_before_give_way()
    {
        await using var edge = await StartAsync();
        await OnAAsync(edge);
        edge.Accounts.Cool("a", edge.Time.GetUtcNow().AddHours(1));
        (await edge.CarryAsync("moved")).Completed();
        Assert.Equal((2, 1), (edge.SocketsUsedAt("a"), edge.SocketsUsedAt("b")));
        await edge.Sim.WhenAsync(sim => sim.Account("a").OpenSockets == 1);
    }

    [Fact]
    public async Task Where_all_are_busy_there_the_turn_goes_over_plain_http()
    {
        await using var edge = await StartAsync(edge => edge.Sim.Script(rule => rule.Account("a").When(when => when with { Contains = "held" }).Stalls()));
        Task<Bridged.Answer>[] held = [edge.CarryAsync("held"), edge.CarryAsync("held")];
        await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
        edge.Accounts.Cool("a", edge.Time.GetUtcNow().AddHours(1));
        (await edge.CarryAsync("moved")).Completed();
        Assert.Equal(0, edge.SocketsUsedAt("b"));
        Assert.Single(edge.BodiesAt("b"));
        edge.Sim.Release();
        foreach (var answer in held)
        {
            (await answer).Completed();
        }
    }

    // Two in parallel, each on a socket of its own: more the scope may not have.
    private static async Task OnAAsync(RunningEdge edge)
    {
        edge.Sim.Script(rule => rule.Times(2).When(when => when with { Contains = "first" }).Stalls());
        Task<Bridged.Answer>[] first = [edge.CarryAsync("first"), edge.CarryAsync("first")];
        await edge.Sim.WhenAsync(sim => sim.Stalled == 2);
        edge.Sim.Release();
        foreach (var answer in first)
        {
            (await answer).Completed();
        }
    }

    private static Task<RunningEdge> StartAsync(Action<RunningEdge>? prepare = null) => RunningEdge.StartAsync(edge =>
    {
        edge.Add("b");
        prepare?.Invoke(edge);
    }, "Sessions:MaxSocketsPerScope=2");
}

using Microsoft.Extensions.DependencyInjection;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Clients;

/// <summary>Slots that were leased for turns to come: taken by turns, and never kept from anybody.</summary>
public sealed class SlotPrefetcherTests
{
    private const string On = "Edge:PrefetchedSlots=16";

    public static TheoryData<string> Surfaces => EachSurface.All;

    [Theory]
    [MemberData(nameof(Surfaces))]
    public async Task Turns_that_follow_each_other_need_not_ask_for_theirs(string surface)
    {
        await using var edge = await EachSurface.StartAsync(surface, _ => { }, On);
        const int Turns = 40;
        for (var turn = 0; turn < Turns; turn++)
        {
            Assert.Equal("response.completed", (await edge.AskAsync(surface, "response.completed"))[^1].Type());
        }

        Assert.InRange(edge.Accounts.AskedForTurns.Count(), 1, Turns / 2);
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Count == Turns && edge.Accounts.Settled.Count == Turns);
        var ids = edge.Continuity.Rows.Select(row => row.Id).ToHashSet();
        Assert.Equal(Turns, ids.Count);
        Assert.Equal(ids, edge.Accounts.Settled.Select(turn => turn.TurnId).ToHashSet());
        var leased = edge.Accounts.Prefetches.SelectMany(asked => asked.TurnIds).ToHashSet();
        Assert.All(ids, id => Assert.True(leased.Contains(id) || edge.Accounts.AskedForTurns.Any(asked => asked.TurnId == id)));
        // What nobody takes goes back by itself.
        await Eventually.TrueAsync(() => edge.Accounts.Slots == 0);
        Assert.Equal(0, edge.Leases.Count);
    }

    [Fact]
    public async Task A_turn_that_comes_alone_asks_for_its_own()
    {
        await using var edge = await RunningEdge.StartAsync(null, On);
        await edge.TurnAsync();
        Assert.Empty(edge.Accounts.Prefetches);
        Assert.Single(edge.Accounts.AskedForTurns);
    }

    // A keep-alive carries the id, and what a client was told must be what the log says.
    [Fact]
    public async Task A_turn_whose_id_was_told_before_keeps_it_and_asks_for_its_own()
    {
        await using var edge = await RunningEdge.StartAsync(null, On, "Edge:KeepAliveSeconds=0.05");
        await FillAsync(edge);
        var known = new TaskCompletionSource<ResolveResponse?>(TaskCreationOptions.RunContinuationsAsynchronously);
        edge.Continuity.OnResolve = _ => known.Task;
        var asked = edge.Accounts.AskedForTurns.Count();
        using var response = await edge.PostAsync(RunningEdge.Body(), headers: ("thread-id", "t"));
        var told = Guid.ParseExact(response.Headers.GetValues("x-request-id").Single(), "N");
        known.SetResult(new ResolveResponse([], null, null));
        Assert.Contains("response.completed", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(told, edge.Accounts.AskedForTurns.Skip(asked).Single().TurnId);
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Any(row => row.Id == told));
    }

    [Fact]
    public async Task A_turn_that_still_runs_is_told_to_those_who_book_lost_ones()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Created)), On);
        await FillAsync(edge);
        var running = edge.PostAsync(RunningEdge.Body().Replace("hello", "stalls", StringComparison.Ordinal));
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await Eventually.TrueAsync(() => edge.Accounts.Started.Any(started => started is { AccountId: "acc-a", KeyId: "key-1", Model: RunningEdge.Model } && edge.Leases.IsHeld(started.TurnId)));
        edge.Sim.Release();
        (await running).Dispose();
    }

    // The turn that meets the limit moves to another account, under the id of the slot that it had taken.
    [Fact]
    public async Task A_turn_that_moves_keeps_the_id_of_its_slot()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"), On);
        await FillAsync(edge);
        edge.Sim.Script(rule => rule.Account("a").Once().Refuses(429, "usage_limit_reached", "The usage limit has been reached."));
        Assert.Contains("response.completed", (await edge.TurnAsync()).Body, StringComparison.Ordinal);
        var moved = edge.Accounts.AskedForTurns.Single(asked => asked.MovesFrom == "acc-a");
        Assert.Contains(edge.Accounts.Prefetches, asked => asked.TurnIds.Contains(moved.TurnId));
        Assert.Empty(edge.Accounts.MovedWrongly);
    }

    [Fact]
    public async Task An_edge_that_stops_gives_all_back()
    {
        await using var edge = await RunningEdge.StartAsync(null, On);
        await FillAsync(edge);
        Assert.NotEqual(0, edge.Accounts.Slots);
        await edge.StopAsync();
        Assert.Equal(0, edge.Accounts.Slots);
    }

    private static SlotPrefetcher PrefetcherOf(RunningEdge edge) => edge.Services.GetRequiredService<SlotPrefetcher>();

    // Turns until there is something to take.
    private static async Task FillAsync(RunningEdge edge)
    {
        await Eventually.TrueAsync(async () =>
        {
            await edge.TurnAsync();
            return PrefetcherOf(edge).Count > 0;
        });
    }
}

using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Tests.Fixture;
using ServiceDefaults.Http;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Clients;

/// <summary>Slots that were leased for turns to come: taken by turns, and never kept from anybody.</summary>
public sealed class SlotsAheadTests
{
    private const string On = "Edge:SlotsAhead=16";

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
        var leased = edge.Accounts.AskedAhead.SelectMany(asked => asked.TurnIds).ToHashSet();
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
        Assert.Empty(edge.Accounts.AskedAhead);
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
    public async Task What_was_decided_before_accounts_or_keys_have_changed_goes_back()
    {
        await using var edge = await RunningEdge.StartAsync(null, On);
        await FillAsync(edge);
        edge.Accounts.Version = "2";
        await Eventually.TrueAsync(() => Ahead(edge).Count == 0);
        Assert.NotEmpty(edge.Accounts.GivenBack);
        Assert.Equal(0, edge.Accounts.Slots);
    }

    [Fact]
    public async Task What_somebody_waits_for_goes_back_and_no_more_is_asked_for()
    {
        await using var edge = await RunningEdge.StartAsync(null, On);
        await FillAsync(edge);
        edge.Accounts.Wanted = ["acc-a"];
        await Eventually.TrueAsync(() => Ahead(edge).Count == 0 && edge.Accounts.Slots == 0);
        var asked = edge.Accounts.AskedAhead.Count;
        await edge.TurnAsync();
        await edge.TurnAsync();
        await edge.TurnAsync();
        Assert.Equal(asked, edge.Accounts.AskedAhead.Count);
    }

    // The other edges learn it from the accounts service within a moment; this one knows it now.
    [Fact]
    public async Task On_an_account_that_is_exhausted_nothing_is_kept()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"), On);
        await FillAsync(edge);
        edge.Sim.Script(rule => rule.Account("a").Once().Refuses(429, "usage_limit_reached", "The usage limit has been reached."));
        Assert.Contains("response.completed", (await edge.TurnAsync()).Body, StringComparison.Ordinal);
        await Eventually.TrueAsync(() => edge.Accounts.GivenBack.Any(lease => lease.AccountId == "acc-a"));
        Assert.Empty(edge.Accounts.MovedWrongly);
        // The turn itself has moved, under the id of the slot that it had.
        var moved = edge.Accounts.AskedForTurns.Single(asked => asked.MovesFrom == "acc-a");
        Assert.Contains(edge.Accounts.AskedAhead, asked => asked.TurnIds.Contains(moved.TurnId));
    }

    [Fact]
    public async Task What_was_lost_is_not_taken()
    {
        await using var edge = await RunningEdge.StartAsync(null, On);
        await FillAsync(edge);
        foreach (var turn in edge.Accounts.AskedAhead.SelectMany(asked => asked.TurnIds))
        {
            edge.Accounts.Lost[turn] = true;
        }
        await Eventually.TrueAsync(() => Ahead(edge).Count == 0);
        Assert.Empty(edge.Accounts.GivenBack);
    }

    // A process that was frozen, or cut off, does not know whose its slots are by now.
    [Fact]
    public async Task What_the_service_has_not_confirmed_for_a_second_is_not_taken()
    {
        await using var accounts = new FakeAccounts();
        accounts.Put(new AdmittedAccount("acc-a", "a", "http://upstream", "dom-a", true, true, CredentialKind.Bearer, "t", 30));
        await accounts.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(accounts.Address), DefaultRequestHeaders = { { InternalToken.Header, FakeService.Token } } };
        var (client, time) = (new AccountsClient(http), new FakeTimeProvider());
        using var leases = new LeaseKeeper(client, time, NullLogger<LeaseKeeper>.Instance);
        using var ahead = new SlotsAhead(client, leases, Options.Create(new EdgeOptions()), time, NullLogger<SlotsAhead>.Instance);
        var request = new AdmissionRequest(Guid.CreateVersion7(), AdmissionPurpose.Turn, "key-1", "m", null, null, null, NeedsWebSockets: false, WaitMs: 0);
        Assert.Null(ahead.TryTake(request));
        Assert.Null(ahead.TryTake(request));
        await Eventually.TrueAsync(() => ahead.Count == 2);
        time.Advance(TimeSpan.FromSeconds(0.9));
        Assert.NotNull(ahead.TryTake(request));
        time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Null(ahead.TryTake(request));
        Assert.Equal(1, ahead.Count);
    }

    [Fact]
    public async Task A_turn_that_has_to_wait_for_its_slot_gets_those_that_lie_idle()
    {
        await using var edge = await RunningEdge.StartAsync(null, On);
        await FillAsync(edge);
        var idle = Ahead(edge).Count;
        edge.Accounts.OnAdmit = async request =>
        {
            // Full until something is given back.
            await Eventually.TrueAsync(() => edge.Accounts.GivenBack.Count >= idle);
            return edge.Accounts.Admit(request);
        };
        // Of another model: none of the idle ones is for it.
        using var answer = await edge.PostAsync($$"""{"model":"gpt-other","input":"hello","stream":true}""");
        Assert.Contains("response.completed", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_turn_that_still_runs_is_told_to_those_who_book_lost_ones()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Created)), On);
        await FillAsync(edge);
        var running = edge.PostAsync(RunningEdge.Body().Replace("hello", "stalls", StringComparison.Ordinal));
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await Eventually.TrueAsync(() => edge.Accounts.Begun.Any(begun => begun is { AccountId: "acc-a", KeyId: "key-1", Model: RunningEdge.Model } && edge.Leases.IsHeld(begun.TurnId)));
        edge.Sim.Release();
        (await running).Dispose();
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

    private static SlotsAhead Ahead(RunningEdge edge) => edge.Services.GetRequiredService<SlotsAhead>();

    // Turns until there is something to take.
    private static async Task FillAsync(RunningEdge edge)
    {
        await Eventually.TrueAsync(async () =>
        {
            await edge.TurnAsync();
            return Ahead(edge).Count > 0;
        });
    }
}

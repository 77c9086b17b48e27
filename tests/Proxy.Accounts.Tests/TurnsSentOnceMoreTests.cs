using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Quotas;
using Proxy.Accounts.Selection;
using Testing;

namespace Proxy.Accounts.Tests;

/// <summary>What the service does for a turn that is sent once more: on another account, or with another credential.</summary>
public sealed class TurnsSentOnceMoreTests : StoresTest
{
    private static readonly string TwoOfOne = Seed(AccountJson("a", """ "maxConcurrentTurns":1,"priority":0 """) + "," + AccountJson("b", """ "maxConcurrentTurns":1,"priority":1 """));
    private readonly AdmissionRequest _turn = Some.Request() with { Model = "m" };

    [Fact]
    public async Task A_turn_that_moves_frees_its_former_slot_for_one_who_waits()
    {
        await using var host = await AccountsHost.StartAsync(Stores, TwoOfOne);
        var first = (await host.AdmitAsync(_turn)).Account!;
        var waiting = host.AdmitAsync(domain: "a", waitMs: 20_000);
        await Eventually.TrueAsync(() => host.Services.GetRequiredService<SlotWaiters>().Count == 1);

        var moved = (await host.AdmitAsync(Moved(first))).Account!;

        Assert.Equal(("a", "b"), (first.Name, moved.Name));
        Assert.Equal("a", (await waiting).Account?.Name);
        // The answer was lost: it is given once more, and nothing else has changed.
        Assert.Equal(moved.Id, (await host.AdmitAsync(Moved(first))).Account?.Id);
        Assert.Equal(RefusalReason.AtCapacity, (await host.AdmitAsync()).Refusal?.Reason);
    }

    [Fact]
    public async Task A_turn_that_gets_no_other_account_keeps_its_slot()
    {
        await using var host = await AccountsHost.StartAsync(Stores, TwoOfOne);
        var first = (await host.AdmitAsync(_turn)).Account!;
        await host.AdmitAsync(domain: "b");

        Assert.Equal(RefusalReason.AtCapacity, (await host.AdmitAsync(Moved(first))).Refusal?.Reason);
        Assert.Equal(RefusalReason.NoOther, (await host.AdmitAsync(Moved(first) with { Domain = "a" })).Refusal?.Reason);

        Assert.Equal(RefusalReason.AtCapacity, (await host.AdmitAsync(domain: "a")).Refusal?.Reason);
        Assert.Equal("a", (await host.AdmitAsync(_turn with { MovesFrom = first.Id })).Account?.Name);
    }

    [Fact]
    public async Task Where_redis_does_not_remember_what_a_turn_holds_its_edge_is_believed()
    {
        await using var host = await AccountsHost.StartAsync(Stores, TwoOfOne);
        var first = (await host.AdmitAsync(_turn)).Account!;
        // As after Redis was emptied: edges announce their slots, not what those were reserved for.
        await Stores.Redis.Database.KeyDeleteAsync("accounts:{pool}:reservations");

        Assert.Equal("b", (await host.AdmitAsync(Moved(first))).Account?.Name);

        Assert.NotNull((await host.AdmitAsync(domain: "a")).Account);
    }

    [Theory]
    [InlineData("settled")]
    [InlineData("settled by an edge that has missed the move")]
    [InlineData("abandoned")]
    public async Task However_a_moved_turn_ends_no_slot_is_left(string end)
    {
        await using var host = await AccountsHost.StartAsync(Stores, TwoOfOne);
        var first = (await host.AdmitAsync(_turn)).Account!;
        var moved = (await host.AdmitAsync(Moved(first))).Account!;

        Assert.Equal(HttpStatusCode.NoContent, end switch
        {
            "abandoned" => await host.AbandonAsync(_turn.TurnId),
            "settled" => await host.SettleAsync(Settled(_turn.TurnId, moved.Id)),
            _ => await host.SettleAsync(Settled(_turn.TurnId, first.Id)),
        });

        Assert.NotNull((await host.AdmitAsync(domain: "a")).Account);
        Assert.NotNull((await host.AdmitAsync(domain: "b")).Account);
    }

    [Fact]
    public async Task A_moved_turn_that_is_lost_is_booked_where_it_was_and_a_real_end_where_it_ended()
    {
        await using var host = await AccountsHost.StartAsync(Stores, TwoOfOne);
        var first = (await host.AdmitAsync(_turn)).Account!;
        var moved = (await host.AdmitAsync(Moved(first))).Account!;
        foreach (var key in new[] { "leases", "slots:" + moved.Id })
        {
            await Stores.Redis.Database.SortedSetAddAsync("accounts:{pool}:" + key, _turn.TurnId.ToString("N"), 1);
        }

        Assert.Equal(1, await host.Services.GetServices<IHostedService>().OfType<LostTurns>().Single().SweepAsync(TimeSpan.Zero, default));
        Assert.Equal($"lost {moved.Id}", await LedgerAsync());

        await host.SettleAsync(Settled(_turn.TurnId, first.Id));
        Assert.Equal($"success {first.Id}", await LedgerAsync());
    }

    [Theory]
    [InlineData(AdmissionPurpose.Turn)]
    [InlineData(AdmissionPurpose.Request)]
    internal async Task A_refused_credential_is_read_anew_even_if_nobody_has_told_of_a_change(AdmissionPurpose purpose)
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("a")));
        await using var other = await AccountsHost.StartAsync(Stores);
        var first = (await host.AdmitAsync(_turn)).Account!;
        var version = await Stores.Redis.Database.StringGetAsync("accounts:{pool}:version");
        await other.AdminAsync(HttpMethod.Patch, $"accounts/{Guid.ParseExact(first.Id, "N")}", """{"credential":{"kind":"bearer","token":"sk-rotated"}}""");
        // As if the other replica had not reached Redis.
        await Stores.Redis.Database.StringSetAsync("accounts:{pool}:version", version);
        var again = _turn with { Purpose = purpose, MovesFrom = first.Id };

        Assert.Equal(first.Token, (await host.AdmitAsync(again)).Account!.Token);
        Assert.Equal("sk-rotated", (await host.AdmitAsync(again with { RefreshCredential = true })).Account!.Token);
        Assert.Equal("sk-rotated", (await host.AdmitAsync(again)).Account!.Token);
    }

    [Fact]
    public async Task While_postgres_is_down_the_credential_known_so_far_is_answered()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("a")));
        var first = (await host.AdmitAsync(_turn)).Account!;
        Stores.Postgres.Gate.Close();

        Assert.Equal(first, (await host.AdmitAsync(_turn with { RefreshCredential = true })).Account);
    }

    private AdmissionRequest Moved(AdmittedAccount from) => _turn with { MovesFrom = from.Id, ExcludedAccountIds = [from.Id] };

    private Task<string> LedgerAsync() => Stores.Postgres.QueryAsync<string>("SELECT string_agg(outcome || ' ' || account_id, ' ') FROM turn_ledger");
}

using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Quotas;
using Testing;

namespace Proxy.Accounts.Tests;

public sealed class SettlementTests : StoresTest
{
    [Fact]
    public async Task Settling_again_changes_nothing()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        var turn = Guid.CreateVersion7();
        var account = (await host.AdmitAsync(turn)).Account!;

        Assert.Equal(HttpStatusCode.NoContent, await host.SettleAsync(Settled(turn, account.Id), Settled(turn, account.Id), Settled(Guid.CreateVersion7(), account.Id)));
        Assert.Equal(HttpStatusCode.NoContent, await host.SettleAsync(Settled(turn, account.Id, "failed", 999) with { Model = "nul\0" }));

        Assert.Equal("success:3 success:3", await LedgerAsync());
    }

    [Fact]
    public async Task A_turn_that_nobody_waits_for_any_more_gives_its_slot_to_the_next()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main", """ "maxConcurrentTurns":1 """)));
        var abandoned = Guid.CreateVersion7();
        Assert.NotNull((await host.AdmitAsync(abandoned)).Account);
        var waiting = host.AdmitAsync(Guid.CreateVersion7(), waitMs: 20_000);

        Assert.Equal(HttpStatusCode.NoContent, await host.AbandonAsync(abandoned));
        Assert.Equal(HttpStatusCode.NoContent, await host.AbandonAsync(abandoned));
        Assert.Equal(HttpStatusCode.NoContent, await host.AbandonAsync(Guid.CreateVersion7()));

        Assert.NotNull((await waiting).Account);
        Assert.Equal(0, await Stores.Postgres.QueryAsync<long>("SELECT count(*) FROM turn_ledger"));
    }

    [Fact]
    public async Task Turns_settled_by_many_at_once_are_booked_once()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        var turns = Enumerable.Range(0, 100).Select(_ => Settled(Guid.CreateVersion7(), "a")).ToArray();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async sender =>
        {
            var shuffled = turns.ToArray();
            new Random(sender).Shuffle(shuffled);
            Assert.Equal(HttpStatusCode.NoContent, await host.SettleAsync(shuffled));
        }));

        Assert.Equal(100, await Stores.Postgres.QueryAsync<long>("SELECT count(*) FROM turn_ledger"));
    }

    [Fact]
    public async Task More_turns_than_allowed_are_refused()
    {
        await using var host = await AccountsHost.StartAsync(Stores);

        Assert.Equal(HttpStatusCode.BadRequest, await host.SettleAsync([.. Enumerable.Range(0, AccountsRoutes.MaxTurns + 1).Select(_ => Settled(Guid.CreateVersion7(), "a"))]));
    }

    [Fact]
    public async Task While_postgres_is_down_settling_fails_and_is_repeated_without_loss()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        var turn = Guid.CreateVersion7();
        var account = (await host.AdmitAsync(turn)).Account!;
        Stores.Postgres.Gate.Close();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await host.SettleAsync(Settled(turn, account.Id)));
        Stores.Postgres.Gate.Open();

        await Eventually.TrueAsync(async () => await host.SettleAsync(Settled(turn, account.Id)) == HttpStatusCode.NoContent);
        Assert.Equal("success:3", await LedgerAsync());
    }

    [Fact]
    public async Task A_turn_whose_edge_has_died_is_booked_as_lost_and_a_real_end_replaces_that()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main", """ "maxConcurrentTurns":1 """)));
        var turn = await LoseTurnAsync(host);
        var account = await host.AccountIdAsync("main");

        Assert.Equal(1, await SweepAsync(host));
        Assert.Equal(0, await SweepAsync(host));
        Assert.Equal("lost:0", await LedgerAsync());
        Assert.Equal("anonymous m", await Stores.Postgres.QueryAsync<string>("SELECT key_id || ' ' || model FROM turn_ledger"));
        Assert.NotNull((await host.AdmitAsync()).Account);

        await host.SettleAsync(Settled(turn, account));
        await host.SettleAsync(Settled(turn, account, TurnLedger.Lost, 0));
        Assert.Equal("success:3", await LedgerAsync());
    }

    [Fact]
    public async Task A_lost_turn_is_remembered_until_postgres_has_booked_it()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        await LoseTurnAsync(host);
        Stores.Postgres.Gate.Close();
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => SweepAsync(host));
        Stores.Postgres.Gate.Open();

        await Eventually.SucceedsAsync(() => SweepAsync(host));

        Assert.Equal("lost:0", await LedgerAsync());
    }

    [Fact]
    public async Task A_lease_that_nobody_can_account_for_is_forgotten()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        await LoseTurnAsync(host);
        await Stores.Redis.Database.KeyDeleteAsync("accounts:{pool}:reservations");

        Assert.Equal(0, await SweepAsync(host));
        Assert.Equal(0, await Stores.Redis.Database.SortedSetLengthAsync("accounts:{pool}:leases"));
    }

    private async Task<Guid> LoseTurnAsync(AccountsHost host)
    {
        var turn = Guid.CreateVersion7();
        var account = (await host.AdmitAsync(turn, model: "m")).Account!;
        foreach (var key in new[] { "leases", "slots:" + account.Id })
        {
            await Stores.Redis.Database.SortedSetAddAsync("accounts:{pool}:" + key, turn.ToString("N"), 1);
        }
        return turn;
    }

    // The service's own sweep waits for longer than a test does.
    private static Task<int> SweepAsync(AccountsHost host) =>
        host.Services.GetServices<IHostedService>().OfType<LostTurns>().Single().SweepAsync(TimeSpan.Zero, default);

    private Task<string> LedgerAsync() => Stores.Postgres.QueryAsync<string>("SELECT string_agg(outcome || ':' || total_tokens, ' ') FROM turn_ledger");
}

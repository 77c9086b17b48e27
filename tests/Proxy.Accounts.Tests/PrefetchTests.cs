using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Quotas;

namespace Proxy.Accounts.Tests;

/// <summary>Slots for turns that are still to come, as edges ask for them.</summary>
public sealed class PrefetchTests : StoresTest
{
    private const string Key = """{"name":"team","key":"cp-team-0123456789","models":["gpt-*"]}""";

    [Fact]
    public async Task What_is_leased_comes_with_its_account_and_the_version_it_was_decided_on()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main"), Key));
        var turns = Turns(2);
        var answer = await LeaseAsync(host, turns);
        Assert.Equal(turns, answer.Leases.Select(lease => lease.TurnId));
        Assert.Equal(("main", "sk-secret-of-the-upstream"), (answer.Accounts.Single().Name, answer.Accounts.Single().Token));
        Assert.Equal(answer.Version, (await RenewAsync(host, answer.Leases)).Version);

        // The turn of that id has its slot already.
        Assert.Equal(answer.Accounts[0].Id, (await host.AdmitAsync(turns[0], keyId: await KeyIdAsync(host), model: "gpt-5")).Account?.Id);
    }

    [Fact]
    public async Task Who_prefers_an_account_gets_slots_of_that_one_or_none()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed($"{AccountJson("main")},{AccountJson("reserve", "\"priority\":5,\"maxConcurrentTurns\":4")}", Key));
        var (main, reserve) = (await host.AccountIdAsync("main"), await host.AccountIdAsync("reserve"));
        Assert.Equal([reserve, reserve], (await LeaseAsync(host, Turns(9), preferred: reserve)).Leases.Select(lease => lease.AccountId));
        Assert.Empty((await LeaseAsync(host, Turns(1), preferred: reserve)).Leases);
        Assert.Empty((await LeaseAsync(host, Turns(1), preferred: "gone")).Leases);
        // Who prefers none gets none of the reserve.
        Assert.All((await LeaseAsync(host, Turns(9))).Leases, lease => Assert.Equal(main, lease.AccountId));
    }

    [Theory]
    [InlineData("other-model", false)]
    [InlineData(null, false)]
    [InlineData("gpt-5", true)]
    public async Task A_key_gets_none_for_what_it_may_not_do(string? model, bool isAllowed)
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main"), Key));
        Assert.Equal(isAllowed ? 1 : 0, (await LeaseAsync(host, Turns(1), model)).Leases.Count);
    }

    [Fact]
    public async Task A_change_of_accounts_or_keys_is_told_with_the_next_renewal()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main"), Key));
        var answer = await LeaseAsync(host, Turns(1));
        Assert.Equal(HttpStatusCode.NoContent, await host.MarkAsync(answer.Accounts[0].Id, TimeProvider.System.GetUtcNow().AddMinutes(5)));
        Assert.NotEqual(answer.Version, (await RenewAsync(host, answer.Leases)).Version);
        Assert.Empty((await LeaseAsync(host, Turns(1))).Leases);
    }

    [Fact]
    public async Task Who_waits_gets_what_is_given_back()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main", "\"maxConcurrentTurns\":2"), Key));
        var leased = (await LeaseAsync(host, Turns(2))).Leases;
        Assert.NotNull((await host.AdmitAsync()).Account);
        var waiting = host.AdmitAsync(waitMs: 60_000);
        await Testing.Eventually.TrueAsync(async () => (await RenewAsync(host, leased)).Wanted.Contains(leased[0].AccountId));

        Assert.Equal(HttpStatusCode.NoContent, await PostAsync(host, AccountsRoutes.ReturnSlots, new ReturnSlotsRequest(leased), AccountsJson.Default.ReturnSlotsRequest));
        Assert.NotNull((await waiting).Account);
    }

    [Fact]
    public async Task Of_an_edge_that_has_died_only_what_had_begun_is_booked()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main"), Key));
        var leased = (await LeaseAsync(host, Turns(3))).Leases;
        await RenewAsync(host, leased.Skip(1), new StartedTurn(leased[0].TurnId, leased[0].AccountId, "key-1", "gpt-5"));
        foreach (var key in new[] { "leases", "slots:" + leased[0].AccountId })
        {
            foreach (var lease in leased)
            {
                await Stores.Redis.Database.SortedSetAddAsync("accounts:{pool}:" + key, lease.TurnId.ToString("N"), 1);
            }
        }

        await host.Services.GetServices<IHostedService>().OfType<LostTurns>().Single().SweepAsync(TimeSpan.Zero, default);

        Assert.Equal($"{leased[0].TurnId} lost key-1 gpt-5", await Stores.Postgres.QueryAsync<string>("SELECT string_agg(turn_id || ' ' || outcome || ' ' || key_id || ' ' || model, ',') FROM turn_ledger"));
        Assert.Equal((0, 0), (await Stores.Redis.Database.SortedSetLengthAsync("accounts:{pool}:leases"), await Stores.Redis.Database.HashLengthAsync("accounts:{pool}:reservations")));
    }

    [Fact]
    public async Task Too_many_at_once_are_refused()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main"), Key));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(host, AccountsRoutes.Prefetch, Request("key", Turns(65), "m"), AccountsJson.Default.PrefetchRequest));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(host, AccountsRoutes.Prefetch, Request("key", [], "m"), AccountsJson.Default.PrefetchRequest));
        SlotLease[] many = [.. Turns(1001).Select(turn => new SlotLease(turn, "a"))];
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(host, AccountsRoutes.ReturnSlots, new(many), AccountsJson.Default.ReturnSlotsRequest));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(host, AccountsRoutes.RenewPrefetched, new(many, []), AccountsJson.Default.RenewPrefetchedRequest));
    }

    private static Guid[] Turns(int count) => [.. Enumerable.Range(0, count).Select(_ => Guid.CreateVersion7())];

    private static PrefetchRequest Request(string keyId, IReadOnlyList<Guid> turns, string? model) => new(turns, keyId, model, NeedsWebSockets: false, PreferredAccountId: null);

    private static async Task<string> KeyIdAsync(AccountsHost host) => (await host.CheckKeyAsync("cp-team-0123456789"))!.Id;

    private static async Task<PrefetchResponse> LeaseAsync(AccountsHost host, IReadOnlyList<Guid> turns, string? model = "gpt-5", string? preferred = null)
    {
        using var response = await host.Internal.PostAsJsonAsync(AccountsRoutes.Prefetch, Request(await KeyIdAsync(host), turns, model) with { PreferredAccountId = preferred }, AccountsJson.Default.PrefetchRequest);
        return (await response.Content.ReadFromJsonAsync(AccountsJson.Default.PrefetchResponse))!;
    }

    private static async Task<RenewPrefetchedResponse> RenewAsync(AccountsHost host, IEnumerable<SlotLease> leases, params StartedTurn[] started)
    {
        using var response = await host.Internal.PostAsJsonAsync(AccountsRoutes.RenewPrefetched, new([.. leases], started), AccountsJson.Default.RenewPrefetchedRequest);
        return (await response.Content.ReadFromJsonAsync(AccountsJson.Default.RenewPrefetchedResponse))!;
    }

    private static async Task<HttpStatusCode> PostAsync<T>(AccountsHost host, string route, T body, JsonTypeInfo<T> type)
    {
        using var response = await host.Internal.PostAsJsonAsync(route, body, type);
        return response.StatusCode;
    }
}

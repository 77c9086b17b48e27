using System.Net;
using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Selection;
using ServiceDefaults.Http;
using Testing;

namespace Proxy.Accounts.Tests;

public sealed class AdmissionTests : StoresTest
{
    private const string Key = "cp-0123456789abcdef";

    // Its word that it gives the slot back may come before the slot is leased.
    [Fact]
    public async Task Whoever_has_gone_when_its_slot_is_leased_holds_none()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main", "\"maxConcurrentTurns\":1")));
        Assert.NotNull((await host.AdmitAsync(purpose: AdmissionPurpose.Request)).Account);
        var admissions = host.Services.GetRequiredService<Admissions>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => admissions.AdmitAsync(Some.Request(), new CancellationToken(canceled: true)));
        Assert.NotNull((await host.AdmitAsync()).Account);
    }

    [Fact]
    public async Task A_turn_is_given_an_account_and_what_it_takes_to_call_it()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main", """ "webSockets":true """)));

        var account = (await host.AdmitAsync()).Account!;

        Assert.Equal(
            new AdmittedAccount(await host.AccountIdAsync("main"), "main", "https://upstream.test/v1", "main", true, false, CredentialKind.Bearer, "sk-secret-of-the-upstream", 15),
            account);
    }

    [Fact]
    public async Task A_key_is_checked_by_its_hash_and_nothing_else_passes()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main"), $$"""{"name":"team","key":"{{Key}}"}"""));

        var key = await host.CheckKeyAsync(Key);

        Assert.Equal("team", key?.Name);
        Assert.NotNull((await host.AdmitAsync(keyId: key!.Id)).Account);
        Assert.Null(await host.CheckKeyAsync(Key + "x"));
        Assert.Equal(RefusalReason.UnknownKey, (await host.AdmitAsync(keyId: "nobody")).Refusal?.Reason);
    }

    [Fact]
    public async Task Accounts_open_to_a_key_are_not_shown_to_a_key_that_is_not_valid()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main"), $$"""{"name":"team","key":"{{Key}}"}"""));
        var key = (await host.CheckKeyAsync(Key))!;

        var open = (await host.ListOpenAsync(key.Id))!;
        Assert.Equal(("main", true), (Assert.Single(open.Accounts).Name, open.SoleKey));
        Assert.Single((await host.ListOpenAsync(AccountsRoutes.Anonymous))!.Accounts);
        Assert.Empty((await host.ListOpenAsync("nobody"))!.Accounts);

        await host.AdminAsync(HttpMethod.Delete, "api-keys/" + Guid.ParseExact(key.Id, "N"));
        Assert.Empty((await host.ListOpenAsync(key.Id))!.Accounts);
    }

    [Fact]
    public async Task Everything_internal_demands_the_token()
    {
        await using var host = await AccountsHost.StartAsync(Stores);
        using var stranger = new HttpClient { BaseAddress = host.Internal.BaseAddress };
        stranger.DefaultRequestHeaders.Add(InternalToken.Header, AccountsHost.AdminTokenText);

        foreach (var route in new[] { AccountsRoutes.Admit, AccountsRoutes.CheckKey, AccountsRoutes.Mark, AccountsRoutes.Renew, AccountsRoutes.Settle })
        {
            using var response = await stranger.PostAsJsonAsync(route, new { });
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        }
        using var list = await stranger.GetAsync(AccountsRoutes.OpenAccounts + "?keyId=anonymous");
        Assert.Equal(HttpStatusCode.Unauthorized, list.StatusCode);
    }

    [Fact]
    public async Task Turns_that_wait_get_freed_slots_in_the_order_in_which_they_came()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main", """ "maxConcurrentTurns":1 """)));
        var holder = Guid.CreateVersion7();
        var account = (await host.AdmitAsync(holder)).Account!;
        var waiters = host.Services.GetRequiredService<SlotWaiters>();
        var turns = Enumerable.Range(0, 6).Select(_ => Guid.CreateVersion7()).ToArray();
        var waiting = new List<Task<AdmissionResponse>>();
        foreach (var turn in turns)
        {
            waiting.Add(host.AdmitAsync(turn, waitMs: 20_000));
            await Eventually.TrueAsync(() => waiters.Count == waiting.Count);
        }

        for (var next = 0; next < turns.Length; next++)
        {
            Assert.Equal(HttpStatusCode.NoContent, await host.SettleAsync(Settled(holder, account.Id)));
            Assert.Same(waiting[next], await Task.WhenAny(waiting.Skip(next)));
            Assert.NotNull((await waiting[next]).Account);
            holder = turns[next];
        }
    }

    [Fact]
    public async Task A_slot_that_is_freed_on_another_replica_is_found_too()
    {
        var seed = Seed(AccountJson("main", """ "maxConcurrentTurns":1 """));
        await using var one = await AccountsHost.StartAsync(Stores, seed);
        await using var other = await AccountsHost.StartAsync(Stores, seed);
        var holder = Guid.CreateVersion7();
        var account = (await one.AdmitAsync(holder)).Account!;
        var waiting = one.AdmitAsync(waitMs: 20_000);
        await Eventually.TrueAsync(() => one.Services.GetRequiredService<SlotWaiters>().Count == 1);

        await other.SettleAsync(Settled(holder, account.Id));

        Assert.NotNull((await waiting).Account);
    }

    [Fact]
    public async Task A_wait_ends_at_its_bound_and_a_client_that_leaves_takes_no_place()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main", """ "maxConcurrentTurns":1 """)));
        var turn = Guid.CreateVersion7();
        await host.AdmitAsync(turn);
        var waiters = host.Services.GetRequiredService<SlotWaiters>();
        using var leaving = new CancellationTokenSource();
        var left = host.AdmitAsync(waitMs: 60_000, cancellationToken: leaving.Token);
        await Eventually.TrueAsync(() => waiters.Count == 1);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);

        var began = TimeProvider.System.GetTimestamp();
        var refused = await host.AdmitAsync(waitMs: 300);

        Assert.Equal(RefusalReason.AtCapacity, refused.Refusal?.Reason);
        Assert.True(TimeProvider.System.GetElapsedTime(began) >= TimeSpan.FromMilliseconds(300));
        await Eventually.TrueAsync(() => waiters.Count == 0);
        Assert.NotNull((await host.AdmitAsync(turn)).Account);
    }

    [Fact]
    public async Task No_more_turns_wait_than_may()
    {
        await using var host = await AccountsHost.StartAsync(
            Stores, Seed(AccountJson("main", """ "maxConcurrentTurns":1 """)), new() { ["Accounts:MaxWaitingTurns"] = "1" });
        var turn = Guid.CreateVersion7();
        var account = (await host.AdmitAsync(turn)).Account!;
        var waiting = host.AdmitAsync(waitMs: 20_000);
        await Eventually.TrueAsync(() => host.Services.GetRequiredService<SlotWaiters>().Count == 1);

        Assert.Equal(RefusalReason.AtCapacity, (await host.AdmitAsync(waitMs: 20_000)).Refusal?.Reason);
        // The turn that holds the slot gets the same answer as before, past those who wait.
        Assert.NotNull((await host.AdmitAsync(turn)).Account);
        await host.SettleAsync(Settled(turn, account.Id));
        Assert.NotNull((await waiting).Account);
    }

    [Fact]
    public async Task A_mark_cools_an_account_for_all_replicas_at_once()
    {
        var seed = Seed(AccountJson("a", """ "domain":"org","priority":0 """) + "," + AccountJson("b", """ "priority":1 """));
        await using var one = await AccountsHost.StartAsync(Stores, seed);
        await using var other = await AccountsHost.StartAsync(Stores, seed);
        Assert.Equal(("a", "a"), ((await one.AdmitAsync()).Account!.Name, (await other.AdmitAsync()).Account!.Name));
        var until = TimeProvider.System.GetUtcNow().AddMinutes(5);
        var id = await one.AccountIdAsync("a");

        Assert.Equal(HttpStatusCode.NoContent, await one.MarkAsync(id, until));
        Assert.Equal(HttpStatusCode.NoContent, await one.MarkAsync(id, until.AddMinutes(-4)));

        Assert.Equal("b", (await other.AdmitAsync()).Account!.Name);
        var demanded = await other.AdmitAsync(domain: "org");
        Assert.Equal(RefusalReason.OwnerCooling, demanded.Refusal!.Reason);
        Assert.Equal(until, demanded.Refusal.Until!.Value, TimeSpan.FromMilliseconds(1));
        Assert.Equal("a", (await other.AdmitAsync(purpose: AdmissionPurpose.Request, domain: "org")).Account!.Name);
        Assert.Equal("cooling", (await other.AccountAsync("a")).GetProperty("state").GetString());

        await one.AdminAsync(HttpMethod.Patch, "accounts/" + Guid.ParseExact(id, "N"), """{"cooling":false}""");
        Assert.Equal("a", (await other.AdmitAsync(domain: "org")).Account!.Name);
    }

    [Fact]
    public async Task A_mark_for_a_model_cools_that_model_for_all_replicas_at_once()
    {
        var seed = Seed(AccountJson("a", """ "priority":0 """) + "," + AccountJson("b", """ "priority":1 """));
        await using var one = await AccountsHost.StartAsync(Stores, seed);
        await using var other = await AccountsHost.StartAsync(Stores, seed);
        var (id, until) = (await one.AccountIdAsync("a"), TimeProvider.System.GetUtcNow().AddMinutes(5));
        Assert.Equal("a", (await other.AdmitAsync(model: "gpt-5.6")).Account!.Name);

        Assert.Equal(HttpStatusCode.NoContent, await one.MarkAsync(id, until, "gpt-5.6"));
        Assert.Equal(HttpStatusCode.NoContent, await one.MarkAsync(id, until.AddMinutes(-4), "gpt-5.6"));
        Assert.Equal(HttpStatusCode.NoContent, await one.MarkAsync(id, until.AddMinutes(-6), "gpt-5.7"));
        Assert.Equal(HttpStatusCode.BadRequest, await one.MarkAsync(id, until, new string('m', MarkRequest.LongestModel + 1)));

        Assert.Equal("b", (await other.AdmitAsync(model: "gpt-5.6")).Account!.Name);
        Assert.Equal("a", (await other.AdmitAsync(model: "gpt-5.7")).Account!.Name);
        Assert.Equal("active", (await other.AccountAsync("a")).GetProperty("state").GetString());
        Assert.Equal(until, (await other.AccountAsync("a")).GetProperty("coolingModels").GetProperty("gpt-5.6").GetDateTimeOffset(), TimeSpan.FromMilliseconds(1));

        await one.AdminAsync(HttpMethod.Patch, "accounts/" + Guid.ParseExact(id, "N"), """{"cooling":false}""");
        Assert.Equal("a", (await other.AdmitAsync(model: "gpt-5.6")).Account!.Name);
    }

    // Names of models are callers' to make up.
    [Fact]
    public async Task The_models_that_cool_down_on_an_account_are_bounded()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("a")));
        var (id, until) = (await host.AccountIdAsync("a"), TimeProvider.System.GetUtcNow().AddMinutes(5));
        for (var model = 0; model < 210; model++)
        {
            await host.MarkAsync(id, until, $"m-{model}");
        }
        Assert.Equal(200, (await host.AccountAsync("a")).GetProperty("coolingModels").EnumerateObject().Count());
    }

    [Fact]
    public async Task An_account_that_refuses_WebSockets_is_known_to_all_replicas_at_once()
    {
        var seed = Seed(AccountJson("a", """ "webSockets":true """));
        await using var one = await AccountsHost.StartAsync(Stores, seed);
        await using var other = await AccountsHost.StartAsync(Stores, seed);
        var id = await one.AccountIdAsync("a");
        var sockets = new AdmissionRequest(Guid.CreateVersion7(), AdmissionPurpose.Request, AccountsRoutes.Anonymous, null, null, null, null, NeedsWebSockets: true, WaitMs: 0);
        Assert.True((await other.AdmitAsync(sockets)).Account!.WebSockets);

        Assert.Equal(HttpStatusCode.NoContent, await one.MarkAsync(id, TimeProvider.System.GetUtcNow().AddMinutes(5), onlyWebSockets: true));

        Assert.Equal(RefusalReason.NoWebSockets, (await other.AdmitAsync(sockets)).Refusal!.Reason);
        Assert.False((await other.AdmitAsync()).Account!.WebSockets);
        await one.AdminAsync(HttpMethod.Patch, "accounts/" + Guid.ParseExact(id, "N"), """{"cooling":false}""");
        Assert.True((await other.AdmitAsync(sockets)).Account!.WebSockets);
    }

    [Fact]
    public async Task A_demanded_domain_that_is_gone_is_told_apart()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("a") + "," + AccountJson("b")));

        Assert.Equal("b", (await host.AdmitAsync(domain: "b")).Account!.Name);
        await host.AdminAsync(HttpMethod.Delete, $"accounts/{Guid.ParseExact(await host.AccountIdAsync("b"), "N")}");
        Assert.Equal(RefusalReason.OwnerGone, (await host.AdmitAsync(domain: "b")).Refusal?.Reason);
    }

    [Fact]
    public async Task In_an_empty_redis_a_turn_waits_for_the_recovery_window_and_no_longer()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")), counting: false);

        await Eventually.TrueAsync(async () => await host.AdmitAsync() is { Account: not null });
    }

    [Fact]
    public async Task A_turn_that_would_wait_for_a_slot_waits_for_redis_too()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        Stores.Redis.Gate.Close();
        var waiting = host.AdmitAsync(waitMs: 20_000);
        // Longer away than a turn waits that has no time.
        Assert.Equal(RefusalReason.Recovering, (await host.AdmitAsync()).Refusal?.Reason);
        Stores.Redis.Gate.Open();
        Assert.NotNull((await waiting).Account);
    }

    [Fact]
    public async Task While_redis_is_down_turns_are_refused_and_what_takes_no_slot_is_served()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        Stores.Redis.Gate.Close();

        Assert.Equal(RefusalReason.Recovering, (await host.AdmitAsync()).Refusal?.Reason);
        Assert.NotNull((await host.AdmitAsync(purpose: AdmissionPurpose.Request)).Account);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await host.SettleAsync(Settled(Guid.CreateVersion7(), "a")));
        Stores.Redis.Gate.Open();
        await Eventually.TrueAsync(async () => (await host.AdmitAsync()).Account is not null);
    }

    [Fact]
    public async Task While_postgres_is_down_the_accounts_known_so_far_stay_in_use_even_when_they_have_become_stale()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        Assert.NotNull((await host.AdmitAsync()).Account);
        Stores.Postgres.Gate.Close();
        // As another replica does that still reaches Postgres.
        await Stores.Redis.Database.StringSetAsync("accounts:{pool}:version", "another");
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(10));

        Assert.NotNull((await host.AdmitAsync(cancellationToken: bound.Token)).Account);

        using var health = await host.Internal.GetAsync("/health");
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
    }

    [Fact]
    public async Task A_lease_is_renewed_and_a_lost_one_reported()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        var (turn, stranger) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        var account = (await host.AdmitAsync(turn)).Account!;

        using var response = await host.Internal.PostAsJsonAsync(
            AccountsRoutes.Renew, new RenewRequest([new(turn, account.Id), new(stranger, account.Id)]), AccountsJson.Default.RenewRequest);

        Assert.Equal([stranger], (await response.Content.ReadFromJsonAsync(AccountsJson.Default.RenewResponse))!.Lost);
    }
}

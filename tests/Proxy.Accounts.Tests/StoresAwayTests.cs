using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.ApiKeys;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Pool;
using ServiceDefaults.Http;
using Testing;

namespace Proxy.Accounts.Tests;

/// <summary>What goes on while a store is away, or slow.</summary>
public sealed class StoresAwayTests : StoresTest
{
    [Fact]
    public async Task The_service_starts_while_postgres_is_away_and_seeds_when_it_is_back()
    {
        await Stores.Redis.Database.StringSetAsync("accounts:{pool}:generation", "1");
        Stores.Postgres.Gate.Close();
        await using var app = AccountsHost.Build(Stores, new CapturedLogs(), new() { ["Accounts:Seed"] = Seed(AccountJson("main")) });
        await app.StartAsync().WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System);
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        http.DefaultRequestHeaders.Add(InternalToken.Header, AccountsHost.InternalTokenText);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/health")).StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await http.GetAsync($"{AccountsRoutes.OpenAccounts}?keyId=anonymous")).StatusCode);

        Stores.Postgres.Gate.Open();

        await Eventually.TrueAsync(async () =>
        {
            using var answer = await http.GetAsync($"{AccountsRoutes.OpenAccounts}?keyId=anonymous");
            return (await answer.Content.ReadAsStringAsync()).Contains("main", StringComparison.Ordinal);
        });
        await app.StopAsync();
    }

    [Fact]
    public async Task An_old_list_serves_while_a_new_one_is_read()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        var time = new FakeTimeProvider();
        await using var directory = new AccountDirectory(
            host.Services.GetRequiredService<AccountStore>(), host.Services.GetRequiredService<ApiKeyStore>(), host.Services.GetRequiredService<PoolVersion>(), time,
            NullLogger<AccountDirectory>.Instance);
        var first = await directory.GetAsync(default);
        Stores.Postgres.Gate.Close();
        time.Advance(TimeSpan.FromSeconds(6));

        for (var asked = 0; asked < 100; asked++)
        {
            var asking = directory.GetAsync(default);
            // Nobody waits for what is read.
            Assert.True(asking.IsCompletedSuccessfully);
            Assert.Same(first.Accounts, (await asking).Accounts);
        }

        Stores.Postgres.Gate.Open();
        await Eventually.TrueAsync(async () =>
        {
            time.Advance(TimeSpan.FromSeconds(6));
            return !ReferenceEquals(first.Accounts, (await directory.GetAsync(default)).Accounts);
        });
    }
}

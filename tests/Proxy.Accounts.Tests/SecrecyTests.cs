using System.Text;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Credentials;

namespace Proxy.Accounts.Tests;

public sealed class SecrecyTests : StoresTest
{
    private const string Token = "sk-VerySecretToken0123456789";
    private const string Key = "cp-VerySecretKey0123456789";
    private const string Rotated = "sk-RotatedSecretToken0123456789";

    [Fact]
    public async Task Credentials_and_keys_are_in_clear_neither_in_postgres_nor_in_redis_nor_in_any_log()
    {
        var second = EncryptionKeys.Generate("second");
        var logs = new StringBuilder();
        await using (var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main", token: Token), $$"""{"name":"team","key":"{{Key}}"}""")))
        {
            var key = (await host.CheckKeyAsync(Key))!;
            var turn = Guid.CreateVersion7();
            var account = (await host.AdmitAsync(turn, keyId: key.Id)).Account!;
            Assert.Equal(Token, account.Token);
            Assert.DoesNotContain(Token, account.ToString(), StringComparison.Ordinal);
            await host.AdminAsync(HttpMethod.Post, "accounts", AccountJson("second", token: Token));
            await host.AdminAsync(HttpMethod.Patch, $"accounts/{(await host.AccountAsync("main")).GetProperty("id")}", $$"""{"credential":{"kind":"bearer","token":"{{Rotated}}"} }""");
            await host.AdminAsync(HttpMethod.Post, "accounts", $$"""{"credential":{"kind":"x","token":"{{Token}}"} }""");
            await host.AdminAsync(HttpMethod.Post, "accounts", $$"""{"credential":"{{Token}}"}""");
            await host.AdminAsync(HttpMethod.Post, "api-keys", $$"""{"name":"other","key":"{{Key}}"}""");
            await host.ListOpenAsync(AccountsRoutes.Anonymous);
            await host.SettleAsync(Settled(turn, account.Id));
            Stores.Postgres.Gate.Close();
            await host.AdminAsync(HttpMethod.Post, "accounts", AccountJson("third", token: Token));
            Stores.Postgres.Gate.Open();
            logs.Append(host.Logs.Text);
        }
        await using (var host = await AccountsHost.StartAsync(Stores, settings: new() { ["Accounts:EncryptionKeys"] = second + "," + AccountsHost.Keys }))
        {
            logs.Append(host.Logs.Text);
        }
        var dump = await Stores.Postgres.QueryAsync<string>("""
            SELECT (SELECT string_agg(a::text || encode(a.credential, 'escape'), ' ') FROM accounts a) || (SELECT string_agg(k::text, ' ') FROM api_keys k) || COALESCE((SELECT string_agg(t::text, ' ') FROM turn_ledger t), '')
            """);
        var values = new StringBuilder();
        foreach (var name in Stores.Redis.Keys)
        {
            values.Append(name).Append(await Stores.Redis.Database.ExecuteAsync("TYPE", name)).Append(string.Join(' ', await Stores.Redis.Database.HashValuesAsync("accounts:{pool}:reservations")));
        }

        Assert.Contains("main", dump, StringComparison.Ordinal);
        Assert.Contains("Sealed", logs.ToString(), StringComparison.Ordinal);
        foreach (var secret in new[] { Token, Rotated, Key, AccountsHost.AdminTokenText, AccountsHost.InternalTokenText, AccountsHost.Keys.Split(':')[1], second.Split(':')[1] })
        {
            Assert.All([dump, values.ToString(), logs.ToString()], text => Assert.DoesNotContain(secret, text, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task All_that_is_wrong_with_the_settings_is_told_at_once_and_no_value_is_quoted()
    {
        var logs = new CapturedLogs();
        await using var app = AccountsHost.Build(Stores, logs, new()
        {
            ["Internal:Token"] = "in-short",
            ["Admin:Token"] = "ad-short",
            ["Accounts:EncryptionKeys"] = "id:bm90LXRoaXJ0eS10d28=",
            ["Accounts:LeaseSeconds"] = "1",
            ["Accounts:MaxWaitingTurns"] = "-1",
        });

        var refusal = (await Assert.ThrowsAnyAsync<Exception>(() => app.StartAsync())).ToString();

        Assert.All(["Internal:Token", "AdminOptions", "EncryptionKeys", "LeaseSeconds", "MaxWaitingTurns"], wrong => Assert.Contains(wrong, refusal, StringComparison.Ordinal));
        Assert.All(["in-short", "ad-short", "bm90LXRoaXJ0eS10d28="], secret => Assert.DoesNotContain(secret, refusal + logs.Text, StringComparison.Ordinal));
    }
}

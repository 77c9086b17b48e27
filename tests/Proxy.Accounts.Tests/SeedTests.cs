using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Credentials;

namespace Proxy.Accounts.Tests;

public sealed class SeedTests : StoresTest
{
    private const string Key = "cp-0123456789abcdef";

    [Fact]
    public async Task A_seed_changes_what_it_names_and_neither_state_nor_cool_down()
    {
        await using (var first = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main", """ "weight":1 """), $$"""{"name":"team","key":"{{Key}}"}""")))
        {
            var id = await first.AccountIdAsync("main");
            await first.MarkAsync(id, TimeProvider.System.GetUtcNow().AddMinutes(5));
            await first.AdminAsync(HttpMethod.Patch, "accounts/" + Guid.ParseExact(id, "N"), """{"state":"disabled"}""");
            await first.AdminAsync(HttpMethod.Delete, $"api-keys/{Guid.ParseExact((await first.CheckKeyAsync(Key))!.Id, "N")}");
        }

        await using var second = await AccountsHost.StartAsync(
            Stores, Seed(AccountJson("main", """ "weight":5,"state":"active" """, token: "sk-new-of-the-seed"), $$"""{"name":"team","key":"{{Key}}"}"""));

        var account = await second.AccountAsync("main");
        Assert.Equal(("disabled", 5), (account.GetProperty("state").GetString(), account.GetProperty("weight").GetInt32()));
        Assert.NotEqual(default, account.GetProperty("coolingUntil").GetDateTimeOffset());
        Assert.Null(await second.CheckKeyAsync(Key));
        await second.AdminAsync(HttpMethod.Patch, $"accounts/{account.GetProperty("id")}", """{"state":"active","cooling":false}""");
        Assert.Equal("sk-new-of-the-seed", (await second.AdmitAsync()).Account!.Token);
    }

    [Fact]
    public async Task A_new_account_of_a_seed_has_the_state_that_the_seed_says()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main", """ "state":"disabled" """)));

        Assert.Equal("disabled", (await host.AccountAsync("main")).GetProperty("state").GetString());
    }

    [Fact]
    public async Task A_seed_never_takes_back_a_credential_that_an_administrator_has_set()
    {
        await using (var first = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main"))))
        {
            await first.AdminAsync(HttpMethod.Patch, $"accounts/{(await first.AccountAsync("main")).GetProperty("id")}", """{"credential":{"kind":"azure","token":"key-rotated"}}""");
        }

        await using var second = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));

        var account = (await second.AdmitAsync()).Account!;
        Assert.Equal((CredentialKind.Azure, "key-rotated"), (account.CredentialKind, account.Token));
    }

    [Fact]
    public async Task Replicas_that_seed_an_empty_database_at_once_leave_a_credential_that_opens()
    {
        await using var host = await AccountsHost.StartAsync(Stores);
        var store = host.Services.GetRequiredService<AccountStore>();

        for (var round = 0; round < 10; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => store.SeedAsync([Some.Account($"account-{round}")], default)));
        }

        Assert.All(await store.ListAsync(default), account => Assert.Equal("sk-upstream", account.Credential.Reveal()));
    }

    [Fact]
    public async Task A_seed_may_be_a_file()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("seed-").FullName, "seed.json");
        await File.WriteAllTextAsync(file, Seed(AccountJson("from-a-file")));
        await using var host = await AccountsHost.StartAsync(Stores, seed: "", new() { ["Accounts:SeedFile"] = file });

        Assert.Equal("from-a-file", (await host.AdmitAsync()).Account?.Name);
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Fact]
    public async Task After_a_rotation_of_the_encryption_key_credentials_are_sealed_anew_and_the_old_key_can_go()
    {
        var next = EncryptionKeys.Generate("next");
        await using (await AccountsHost.StartAsync(Stores, Seed(AccountJson("main"))))
        {
        }
        Assert.Contains("first", await SealAsync(), StringComparison.Ordinal);
        await using (await AccountsHost.StartAsync(Stores, settings: new() { ["Accounts:EncryptionKeys"] = $"{next},{AccountsHost.Keys}" }))
        {
        }
        Assert.StartsWith("\u0004next", await SealAsync(), StringComparison.Ordinal);

        await using var host = await AccountsHost.StartAsync(Stores, settings: new() { ["Accounts:EncryptionKeys"] = next });
        Assert.Equal("sk-secret-of-the-upstream", (await host.AdmitAsync()).Account!.Token);
    }

    [Fact]
    public async Task An_account_whose_credential_does_not_open_waits_for_a_new_one_and_is_itself_again_when_its_key_is_back()
    {
        await using (await AccountsHost.StartAsync(Stores, Seed(AccountJson("main") + "," + AccountJson("damaged"))))
        {
        }
        await Stores.Postgres.QueryAsync<object>("UPDATE accounts SET credential = '' WHERE name = 'damaged'");
        await using (var host = await AccountsHost.StartAsync(Stores, settings: new() { ["Accounts:EncryptionKeys"] = EncryptionKeys.Generate("other") }))
        {
            var account = await host.AccountAsync("main");
            Assert.Equal("reauth_required", account.GetProperty("state").GetString());
            Assert.Equal(RefusalReason.OwnerGone, (await host.AdmitAsync(domain: "main")).Refusal?.Reason);
            var changed = await host.AdminAsync(HttpMethod.Patch, $"accounts/{account.GetProperty("id")}", """{"weight":3}""");
            Assert.Equal(HttpStatusCode.OK, changed.Status);
            await host.AdminAsync(HttpMethod.Patch, $"accounts/{(await host.AccountAsync("damaged")).GetProperty("id")}", """{"credential":{"kind":"bearer","token":"sk-new"}}""");
            Assert.Equal("sk-new", (await host.AdmitAsync()).Account!.Token);
        }

        await using var again = await AccountsHost.StartAsync(Stores);
        Assert.Equal("sk-secret-of-the-upstream", (await again.AdmitAsync(domain: "main")).Account?.Token);
    }

    private async Task<string> SealAsync() => Encoding.Latin1.GetString(await Stores.Postgres.QueryAsync<byte[]>("SELECT credential FROM accounts"));
}

using System.Net;
using Proxy.Accounts.Contracts;

namespace Proxy.Accounts.Tests;

public sealed class AdminTests : StoresTest
{
    private const string Secret = "sk-secret-of-the-upstream";

    [Fact]
    public async Task An_account_is_created_listed_changed_and_deleted_and_never_shows_its_credential()
    {
        await using var host = await AccountsHost.StartAsync(Stores);
        var created = await host.AdminAsync(HttpMethod.Post, "accounts", AccountJson("main", """ "state":"disabled" """));
        Assert.Equal(HttpStatusCode.Created, created.Status);
        Assert.Equal("disabled", created.Body.GetProperty("state").GetString());
        Assert.Equal(RefusalReason.NoAccounts, (await host.AdmitAsync()).Refusal?.Reason);
        var path = "accounts/" + created.Body.GetProperty("id").GetString();

        var changed = await host.AdminAsync(HttpMethod.Patch, path, """{"state":"active","weight":7,"credential":{"kind":"azure","token":"key-rotated"}}""");
        Assert.Equal((HttpStatusCode.OK, 7), (changed.Status, changed.Body.GetProperty("weight").GetInt32()));
        var account = (await host.AdmitAsync()).Account!;
        Assert.Equal((CredentialKind.Azure, "key-rotated"), (account.CredentialKind, account.Token));

        var list = await host.AdminAsync(HttpMethod.Get, "accounts");
        var one = await host.AdminAsync(HttpMethod.Get, path);
        Assert.All([created.Text, changed.Text, list.Text, one.Text], text =>
        {
            Assert.DoesNotContain(Secret, text, StringComparison.Ordinal);
            Assert.DoesNotContain("key-rotated", text, StringComparison.Ordinal);
        });
        Assert.Equal("list", list.Body.GetProperty("object").GetString());

        Assert.Equal(HttpStatusCode.NoContent, (await host.AdminAsync(HttpMethod.Delete, path)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await host.AdminAsync(HttpMethod.Delete, path)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await host.AdminAsync(HttpMethod.Patch, path, "{}")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await host.AdminAsync(HttpMethod.Get, path)).Status);
        Assert.Equal(RefusalReason.NoAccounts, (await host.AdmitAsync()).Refusal?.Reason);
    }

    [Fact]
    public async Task Of_many_that_create_an_account_of_one_name_at_once_one_does()
    {
        await using var host = await AccountsHost.StartAsync(Stores);

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(async index =>
            (await host.AdminAsync(HttpMethod.Post, "accounts", AccountJson("main", token: $"token-{index}"))).Status is var status ? (index, status) : default));

        var winner = Assert.Single(answers, answer => answer.status == HttpStatusCode.Created);
        Assert.All(answers.Except([winner]), answer => Assert.Equal(HttpStatusCode.Conflict, answer.status));
        Assert.Equal($"token-{winner.index}", (await host.AdmitAsync()).Account!.Token);
    }

    [Fact]
    public async Task A_change_to_the_name_of_another_account_is_a_conflict()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("a") + "," + AccountJson("b")));

        var answer = await host.AdminAsync(HttpMethod.Patch, $"accounts/{(await host.AccountAsync("a")).GetProperty("id")}", """{"name":"b"}""");

        Assert.Equal((HttpStatusCode.Conflict, "name_taken"), (answer.Status, answer.Body.GetProperty("error").GetProperty("code").GetString()));
    }

    [Fact]
    public async Task A_change_takes_nothing_back_that_it_does_not_name()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        var account = await host.AccountAsync("main");
        var store = (Accounts.AccountStore)host.Services.GetService(typeof(Accounts.AccountStore))!;
        var read = Assert.Single(await store.ListAsync(default));
        await host.MarkAsync(await host.AccountIdAsync("main"), TimeProvider.System.GetUtcNow().AddMinutes(5));

        // As a change that had read the account before it was marked.
        await store.UpdateAsync(read with { Weight = 2 }, null, null, endCooling: false, default);

        Assert.Equal("cooling", (await host.AccountAsync("main")).GetProperty("state").GetString());
        Assert.Equal(2, (await host.AccountAsync("main")).GetProperty("weight").GetInt32());
        Assert.Equal(account.GetProperty("id").GetString(), (await host.AccountAsync("main")).GetProperty("id").GetString());
    }

    [Fact]
    public async Task A_key_is_shown_once_and_revoked_for_all_replicas_at_once()
    {
        await using var one = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        await using var other = await AccountsHost.StartAsync(Stores);
        var created = await one.AdminAsync(HttpMethod.Post, "api-keys", """{"name":"team"}""");
        Assert.Equal(HttpStatusCode.Created, created.Status);
        var text = created.Body.GetProperty("key").GetString()!;
        var key = (await other.CheckKeyAsync(text))!;
        Assert.NotNull((await other.AdmitAsync(keyId: key.Id)).Account);
        Assert.DoesNotContain(text, (await one.AdminAsync(HttpMethod.Get, "api-keys")).Text, StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.NoContent, (await one.AdminAsync(HttpMethod.Delete, "api-keys/" + created.Body.GetProperty("id").GetString())).Status);

        foreach (var replica in new[] { one, other })
        {
            Assert.Equal(RefusalReason.UnknownKey, (await replica.AdmitAsync(keyId: key.Id)).Refusal?.Reason);
            Assert.Equal(RefusalReason.UnknownKey, (await replica.AdmitAsync(keyId: key.Id, purpose: AdmissionPurpose.Request)).Refusal?.Reason);
            Assert.Null(await replica.CheckKeyAsync(text));
        }
        Assert.Equal(HttpStatusCode.NotFound, (await one.AdminAsync(HttpMethod.Delete, "api-keys/" + Guid.CreateVersion7())).Status);
    }

    [Fact]
    public async Task What_takes_no_slot_knows_of_a_revocation_at_once_too()
    {
        await using var one = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main")));
        await using var other = await AccountsHost.StartAsync(Stores);
        var created = await one.AdminAsync(HttpMethod.Post, "api-keys", """{"name":"team"}""");
        var text = created.Body.GetProperty("key").GetString()!;
        Assert.NotNull(await other.CheckKeyAsync(text));

        await one.AdminAsync(HttpMethod.Delete, "api-keys/" + created.Body.GetProperty("id").GetString());

        Assert.Null(await other.CheckKeyAsync(text));
    }

    [Fact]
    public async Task A_name_or_a_key_that_is_taken_is_a_conflict()
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed("", """{"name":"team","key":"cp-0123456789abcdef"}"""));

        Assert.Equal(HttpStatusCode.Conflict, (await host.AdminAsync(HttpMethod.Post, "api-keys", """{"name":"team"}""")).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await host.AdminAsync(HttpMethod.Post, "api-keys", """{"name":"other","key":"cp-0123456789abcdef"}""")).Status);
        Assert.NotNull(await host.CheckKeyAsync("cp-0123456789abcdef"));
    }

    [Fact]
    public async Task All_errors_of_a_request_are_told_at_once()
    {
        await using var host = await AccountsHost.StartAsync(Stores);

        var answer = await host.AdminAsync(HttpMethod.Post, "accounts", $$"""{"baseUrl":"nowhere","weight":0,"credential":{"kind":"x","token":"{{Secret}}"} }""");

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        var message = answer.Body.GetProperty("error").GetProperty("message").GetString()!;
        Assert.All(["name", "baseUrl", "weight", "credential"], field => Assert.Contains(field, message, StringComparison.Ordinal));
        Assert.DoesNotContain(Secret, answer.Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, (await host.AdminAsync(HttpMethod.Post, "api-keys", """{"key":"short"}""")).Status);
    }

    [Theory]
    [InlineData("accounts")]
    [InlineData("openapi.json/")]
    [InlineData("../../ADMIN/v1/api-keys")]
    public async Task Everything_else_of_the_admin_api_demands_the_admin_token(string path)
    {
        await using var host = await AccountsHost.StartAsync(Stores);
        foreach (var header in new[] { null, "Bearer " + AccountsHost.InternalTokenText, "Basic " + AccountsHost.AdminTokenText, "Bearer" })
        {
            host.Admin.DefaultRequestHeaders.Remove("Authorization");
            host.Admin.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", header);
            var answer = await host.AdminAsync(HttpMethod.Get, path);
            Assert.Equal((HttpStatusCode.Unauthorized, "invalid_admin_token"), (answer.Status, answer.Body.GetProperty("error").GetProperty("code").GetString()));
        }
    }

    [Fact]
    public async Task Guesses_of_the_admin_token_are_throttled_for_who_guesses()
    {
        await using var host = await AccountsHost.StartAsync(Stores);
        int[] statuses = [.. Enumerable.Repeat(401, 10), 429];
        Assert.Equal(statuses, await GuessAsync("10.0.0.1", 11));
        Assert.Equal(429, await AskAsync("10.0.0.1", AccountsHost.AdminTokenText));
        // Not for others.
        Assert.Equal(200, await AskAsync("10.0.0.2", AccountsHost.AdminTokenText));
        Assert.Equal(HttpStatusCode.OK, (await host.AdminAsync(HttpMethod.Get, "accounts")).Status);

        async Task<int[]> GuessAsync(string caller, int times)
        {
            var statuses = new List<int>();
            for (var guess = 0; guess < times; guess++)
            {
                statuses.Add(await AskAsync(caller, $"a-wrong-token-{guess}"));
            }
            return [.. statuses];
        }

        async Task<int> AskAsync(string caller, string token)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "accounts") { Headers = { { AccountsRoutes.AdminCaller, caller }, { "Authorization", "Bearer " + token } } };
            using var response = await host.Admin.SendAsync(request);
            return (int)response.StatusCode;
        }
    }

    [Theory]
    [InlineData(AccountsHost.AdminTokenText)]
    [InlineData(AccountsHost.InternalTokenText)]
    public async Task A_key_that_is_a_token_of_ours_is_refused(string token)
    {
        await using var host = await AccountsHost.StartAsync(Stores);
        Assert.Equal(HttpStatusCode.BadRequest, (await host.AdminAsync(HttpMethod.Post, "api-keys", $$"""{"name":"team","key":"{{token}}"}""")).Status);
        await Assert.ThrowsAsync<InvalidOperationException>(() => AccountsHost.StartAsync(Stores, Seed("", $$"""{"name":"team","key":"{{token}}"}""")));
    }

    [Fact]
    public async Task Link_local_upstreams_are_refused_unless_they_are_allowed()
    {
        await using var host = await AccountsHost.StartAsync(Stores);
        var json = AccountJson("main").Replace("https://upstream.test", "http://169.254.169.254", StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, (await host.AdminAsync(HttpMethod.Post, "accounts", json)).Status);
        await using var open = await AccountsHost.StartAsync(Stores, settings: new() { ["Accounts:AllowLinkLocalUpstreams"] = "true" });
        Assert.Equal(HttpStatusCode.Created, (await open.AdminAsync(HttpMethod.Post, "accounts", json)).Status);
    }

    [Fact]
    public async Task The_api_describes_itself_to_everyone()
    {
        await using var host = await AccountsHost.StartAsync(Stores);
        host.Admin.DefaultRequestHeaders.Remove("Authorization");

        var (status, body, _) = await host.AdminAsync(HttpMethod.Get, "openapi.json");

        Assert.Equal(HttpStatusCode.OK, status);
        var paths = body.GetProperty("paths").EnumerateObject().Select(path => path.Name).ToArray();
        Assert.All(["/admin/v1/accounts", "/admin/v1/accounts/{id}", "/admin/v1/api-keys", "/admin/v1/api-keys/{id}"], path => Assert.Contains(path, paths));
    }

    [Fact]
    public async Task While_postgres_is_down_the_admin_api_says_so()
    {
        await using var host = await AccountsHost.StartAsync(Stores);
        Stores.Postgres.Gate.Close();

        var answer = await host.AdminAsync(HttpMethod.Get, "accounts");

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "store_unavailable"), (answer.Status, answer.Body.GetProperty("error").GetProperty("code").GetString()));
    }
}

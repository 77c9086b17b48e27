using System.Net;
using System.Net.Http.Json;
using Proxy.Continuity.Contracts;
using Proxy.Continuity.Owners;
using Testing;

namespace Proxy.Continuity.Tests;

public sealed class OwnerTests : StoresTest
{
    [Fact]
    public async Task A_published_owner_is_found_in_redis()
    {
        Assert.Equal(HttpStatusCode.NoContent, await Host.PublishAsync("resp_1", Some.Owner()));

        var answer = await Host.ResolveOneAsync("key-1", "resp_1");

        Assert.Equal((OwnerOutcome.Owner, "redis"), (answer.Outcome, answer.Source));
        Assert.Equal(Some.Owner(), answer.Owner);
    }

    [Fact]
    public async Task An_id_that_neither_store_knows_is_unknown()
    {
        var answer = await Host.ResolveOneAsync("key-1", "resp_nobody");

        Assert.Equal(new ResolvedOwner(new OwnedId(OwnedKinds.Response, "resp_nobody"), OwnerOutcome.Unknown, null, null), answer);
    }

    [Fact]
    public async Task Answers_come_in_the_order_of_the_ids()
    {
        await Host.PublishAsync("resp_redis", Some.Owner());
        await Host.IngestAsync(Some.Row("resp_postgres"));

        var answers = await Host.ResolveAsync("key-1", null, "resp_nobody", "resp_postgres", "resp_redis", "resp_postgres");

        Assert.Equal(["resp_nobody", "resp_postgres", "resp_redis", "resp_postgres"], answers.Owners.Select(answer => answer.Id.Id));
        Assert.Equal([null, "postgres", "redis", "postgres"], answers.Owners.Select(answer => answer.Source));
    }

    [Fact]
    public async Task Many_are_published_each_by_itself()
    {
        await Host.PublishAsync("resp_taken", Some.Owner(keyId: "key-2"));
        PublishRequest Of(string id, string kind = OwnedKinds.Response) => new(new OwnedId(kind, id), Some.Owner(), "thread-1");

        using var response = await Host.Http.PostAsJsonAsync(ContinuityRoutes.PublishMany,
            new PublishManyRequest([Of("resp_1"), Of("resp_taken"), Of(new string('x', 513)), Of("file-1", OwnedKinds.File), Of("resp_2")]), ContinuityJson.Default.PublishManyRequest);

        Assert.Equal([204, 409, 400, 204, 204], (await response.Content.ReadFromJsonAsync(ContinuityJson.Default.PublishManyResponse))!.Statuses);
        Assert.All((await Host.ResolveAsync("key-1", null, "resp_1", "file-1", "resp_2")).Owners, owner => Assert.Equal(OwnerOutcome.Owner, owner.Outcome));
    }

    [Fact]
    public async Task More_than_many_are_refused()
    {
        var request = new PublishRequest(new OwnedId(OwnedKinds.Response, "resp_1"), Some.Owner(), null);
        Assert.Equal(HttpStatusCode.BadRequest, await Host.PostAsync(ContinuityRoutes.PublishMany,
            new PublishManyRequest([.. Enumerable.Repeat(request, ContinuityRoutes.MaxPublished + 1)]), ContinuityJson.Default.PublishManyRequest));
    }

    // Postgres has no index for it, and an edge that is told "later" tries it for ever.
    [Theory]
    [InlineData(OwnedKinds.Response)]
    [InlineData(OwnedKinds.VectorStore)]
    public async Task An_id_that_is_too_long_is_refused_for_good(string kind)
    {
        Assert.Equal(HttpStatusCode.BadRequest, await Host.PublishAsync(new string('x', 513), Some.Owner(), kind: kind));
        Assert.Equal(HttpStatusCode.NoContent, await Host.PublishAsync(new string('x', 512), Some.Owner(), kind: kind));
    }

    [Fact]
    public async Task An_id_is_found_by_itself_whatever_kind_the_asker_takes_it_for()
    {
        await Host.PublishAsync("file-1", Some.Owner(), kind: OwnedKinds.File);

        Assert.Equal((OwnerOutcome.Owner, "redis"), await Host.ResolveOneAsync("key-1", "file-1") is var answer ? (answer.Outcome, answer.Source) : default);
    }

    [Fact]
    public async Task The_first_owner_stays_the_owner()
    {
        await Host.PublishAsync("resp_1", Some.Owner());

        Assert.Equal(HttpStatusCode.Conflict, await Host.PublishAsync("resp_1", Some.Owner(accountId: "account-2")));
        Assert.Equal(HttpStatusCode.Conflict, await Host.PublishAsync("resp_1", Some.Owner(keyId: "key-2")));
        Assert.Equal(HttpStatusCode.NoContent, await Host.PublishAsync("resp_1", Some.Owner()));
        Assert.Equal(Some.Owner(), (await Host.ResolveOneAsync("key-1", "resp_1")).Owner);
    }

    [Fact]
    public async Task Of_many_that_publish_an_id_at_once_one_account_wins()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(async index =>
            (Account: $"account-{index}", Status: await Host.PublishAsync("resp_1", Some.Owner(accountId: $"account-{index}")))));

        var winner = Assert.Single(answers, answer => answer.Status == HttpStatusCode.NoContent);
        Assert.Equal(winner.Account, (await Host.ResolveOneAsync("key-1", "resp_1")).Owner!.AccountId);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task To_another_key_an_id_is_foreign_and_nothing_of_its_record_leaks(bool redisEmptied)
    {
        await Host.PublishAsync("resp_1", Some.Owner());
        await Host.IngestAsync(Some.Row("resp_1"));
        if (redisEmptied)
        {
            await Stores.Redis.EmptyAsync();
        }

        using var response = await Host.PostResolveAsync("key-2", null, "resp_1");
        var body = await response.Content.ReadAsStringAsync();

        Assert.Contains("Foreign", body, StringComparison.OrdinalIgnoreCase);
        Assert.All(["key-1", "account-1", "domain-1", "thread-1", "0af7651916cd"], secret => Assert.DoesNotContain(secret, body, StringComparison.Ordinal));
    }

    [Fact]
    public async Task After_redis_was_emptied_postgres_answers_and_the_alias_is_restored()
    {
        await Host.PublishAsync("resp_1", Some.Owner());
        await Host.IngestAsync(Some.Row("resp_1"));
        await Stores.Redis.EmptyAsync();

        Assert.Equal("postgres", (await Host.ResolveOneAsync("key-1", "resp_1")).Source);
        var again = await Host.ResolveOneAsync("key-1", "resp_1");

        Assert.Equal("redis", again.Source);
        Assert.Equal(Some.Owner() with { TraceParent = null }, again.Owner);
    }

    [Theory]
    [InlineData(TurnStatus.Success, OwnerOutcome.Owner)]
    [InlineData(TurnStatus.Incomplete, OwnerOutcome.Owner)]
    [InlineData(TurnStatus.Failed, OwnerOutcome.Unknown)]
    [InlineData(TurnStatus.Cut, OwnerOutcome.Unknown)]
    [InlineData(TurnStatus.Cancelled, OwnerOutcome.Unknown)]
    [InlineData(TurnStatus.Refused, OwnerOutcome.Unknown)]
    internal async Task Only_what_ended_as_a_valid_anchor_is_one(string status, OwnerOutcome outcome)
    {
        await Host.IngestAsync(Some.Row("resp_1", status: status));

        Assert.Equal(outcome, (await Host.ResolveOneAsync("key-1", "resp_1")).Outcome);
    }

    [Fact]
    public async Task A_row_without_a_domain_names_no_owner()
    {
        await Host.IngestAsync(Some.Row("resp_1") with { Domain = null });

        Assert.Equal(OwnerOutcome.Unknown, (await Host.ResolveOneAsync("key-1", "resp_1")).Outcome);
    }

    [Fact]
    public async Task An_id_that_postgres_cannot_even_be_asked_for_is_unknown_and_spoils_no_other()
    {
        await Host.IngestAsync(Some.Row("resp_1"));

        var answers = await Host.ResolveAsync("key-1", null, "resp_\0", "resp_1");

        Assert.Equal([OwnerOutcome.Unknown, OwnerOutcome.Owner], answers.Owners.Select(answer => answer.Outcome));
    }

    [Fact]
    public async Task While_redis_is_down_postgres_answers_and_a_miss_is_a_failed_lookup()
    {
        await Host.IngestAsync(Some.Row("resp_1"));
        Stores.Redis.Gate.Close();

        Assert.Equal("postgres", (await Host.ResolveOneAsync("key-1", "resp_1")).Source);
        Assert.Equal(OwnerOutcome.Foreign, (await Host.ResolveOneAsync("key-2", "resp_1")).Outcome);
        using var miss = await Host.PostResolveAsync("key-1", null, "resp_1", "resp_nobody");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, miss.StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await Host.PublishAsync("resp_2", Some.Owner()));

        Stores.Redis.Gate.Open();
        await Eventually.TrueAsync(async () => await Host.PublishAsync("resp_2", Some.Owner()) == HttpStatusCode.NoContent);
        Assert.Equal(OwnerOutcome.Unknown, (await Host.ResolveOneAsync("key-1", "resp_nobody")).Outcome);
    }

    [Fact]
    public async Task While_postgres_is_down_redis_answers_and_a_miss_is_a_failed_lookup()
    {
        await Host.PublishAsync("resp_1", Some.Owner());
        Stores.Postgres.Gate.Close();

        Assert.Equal("redis", (await Host.ResolveOneAsync("key-1", "resp_1")).Source);
        using var miss = await Host.PostResolveAsync("key-1", null, "resp_nobody");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, miss.StatusCode);
    }

    [Fact]
    public async Task While_both_stores_are_down_every_lookup_fails_and_health_stays_good()
    {
        await Host.PublishAsync("resp_1", Some.Owner());
        Stores.Redis.Gate.Close();
        Stores.Postgres.Gate.Close();

        using var response = await Host.PostResolveAsync("key-1", null, "resp_1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await Host.Http.GetAsync("/health")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await Host.Http.GetAsync("/alive")).StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await Host.Http.GetAsync("/health/stores")).StatusCode);
    }

    [Fact]
    public async Task A_scope_remembers_the_account_that_served_it_last_and_its_domain()
    {
        await Host.PublishAsync("resp_1", Some.Owner(), scope: "thread-1");
        Assert.Equal(("account-1", "domain-1"), await ScopeAsync("key-1", "thread-1"));

        await Host.PublishAsync("resp_2", Some.Owner(accountId: "account-2") with { Domain = "two words" }, scope: "thread-1");

        Assert.Equal(("account-2", "two words"), await ScopeAsync("key-1", "thread-1", "resp_1"));
        Assert.Equal((null, null), await ScopeAsync("key-2", "thread-1"));
        Assert.Equal((null, null), await ScopeAsync("key-1", "thread-2"));
    }

    [Fact]
    public void A_scope_alias_is_read_as_it_was_written_and_nothing_else_is_one()
    {
        Assert.All([new ScopeAlias("a", "d"), new ScopeAlias("a", "my own domain"), new ScopeAlias("a", "")], alias => Assert.Equal(alias, ScopeAlias.Parse(alias.Format())));
        Assert.All([null, "", "account-of-an-older-format"], text => Assert.Null(ScopeAlias.Parse(text)));
    }

    [Fact]
    public async Task More_ids_than_allowed_are_refused()
    {
        using var most = await Host.PostResolveAsync("key-1", null, Enumerable.Range(0, ContinuityRoutes.MaxIds).Select(index => $"resp_{index}"));
        using var tooMany = await Host.PostResolveAsync("key-1", null, Enumerable.Range(0, ContinuityRoutes.MaxIds + 1).Select(index => $"resp_{index}"));

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.BadRequest), (most.StatusCode, tooMany.StatusCode));
    }

    [Fact]
    public async Task Every_key_in_redis_ends_some_day_and_none_names_an_id()
    {
        await Host.PublishAsync("resp_secret", Some.Owner(), scope: "thread-secret");
        await Host.PublishAsync("state-secret", Some.Owner(), kind: OwnedKinds.TurnState);
        await Host.IngestAsync(Some.Row("resp_restored"));
        await Host.ResolveOneAsync("key-1", "resp_restored");
        await Host.RejectAsync("key-1", "resp_secret");

        var lifetimes = new List<string>();
        foreach (var key in Stores.Redis.Keys)
        {
            Assert.Matches("^continuity:(owner|scope|rejected):[0-9a-f]{64}$", key);
            var left = (await Stores.Redis.Database.KeyTimeToLiveAsync(key)).GetValueOrDefault();
            // Less than a minute of it has gone.
            lifetimes.Add($"{key.Split(':')[1]} {Math.Ceiling(left.TotalMinutes) / (24 * 60):0.###}");
        }
        Assert.Equal(["owner 1", "owner 35", "owner 35", $"rejected {10.0 / (24 * 60):0.###}", "scope 7"], lifetimes.Order(StringComparer.Ordinal));
    }

    private async Task<(string?, string?)> ScopeAsync(string keyId, string scope, params IEnumerable<string> ids) =>
        await Host.ResolveAsync(keyId, scope, ids) is var response ? (response.ScopeAccountId, response.ScopeDomain) : default;
}

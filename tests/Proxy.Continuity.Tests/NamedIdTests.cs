using System.Net;
using System.Net.Http.Json;
using Proxy.Continuity.Contracts;

namespace Proxy.Continuity.Tests;

/// <summary>Owners of what a request names besides an anchor: what lasts, what came with a response, and what says only where something can be read.</summary>
public sealed class NamedIdTests : StoresTest
{
    [Theory]
    [InlineData(OwnedKinds.File)]
    [InlineData(OwnedKinds.Conversation)]
    [InlineData(OwnedKinds.VectorStore)]
    [InlineData(OwnedKinds.Skill)]
    public async Task What_upstream_keeps_is_known_without_redis_and_without_its_row(string kind)
    {
        Assert.Equal(HttpStatusCode.NoContent, await Host.PublishAsync("id_1", Some.Owner(), kind: kind));
        await Stores.Redis.EmptyAsync();
        Assert.Equal((OwnerOutcome.Owner, "postgres", Some.Owner()), await OneAsync("key-1", kind, "id_1"));
        Assert.Equal((OwnerOutcome.Foreign, "redis", null), await OneAsync("key-2", kind, "id_1"));
    }

    [Fact]
    public async Task It_stays_its_first_owners_when_redis_has_forgotten_it()
    {
        await Host.PublishAsync("file-1", Some.Owner(), kind: OwnedKinds.File);
        await Stores.Redis.EmptyAsync();
        Assert.Equal(HttpStatusCode.Conflict, await Host.PublishAsync("file-1", Some.Owner(keyId: "key-2"), kind: OwnedKinds.File));
        Assert.Equal(HttpStatusCode.NoContent, await Host.PublishAsync("file-1", Some.Owner(), kind: OwnedKinds.File));
        Assert.Equal(OwnerOutcome.Owner, (await OneAsync("key-1", OwnedKinds.File, "file-1")).Outcome);
    }

    // A prompt is nobody's: each key that was served with it says the same.
    [Fact]
    public async Task What_is_shared_may_be_published_by_any_key_but_lives_in_one_place()
    {
        Assert.Equal(HttpStatusCode.NoContent, await Host.PublishAsync("pmpt_1", Some.Owner(), kind: OwnedKinds.Prompt));
        Assert.Equal(HttpStatusCode.NoContent, await Host.PublishAsync("pmpt_1", Some.Owner(keyId: "key-2"), kind: OwnedKinds.Prompt));
        Assert.Equal(HttpStatusCode.Conflict, await Host.PublishAsync("pmpt_1", Some.Owner(keyId: "key-2", accountId: "account-2"), kind: OwnedKinds.Prompt));
        Assert.Equal(OwnerOutcome.Owner, (await OneAsync("key-3", OwnedKinds.Prompt, "pmpt_1")).Outcome);
    }

    [Fact]
    public async Task It_is_not_kept_while_postgres_is_down()
    {
        Stores.Postgres.Gate.Close();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await Host.PublishAsync("file-1", Some.Owner(), kind: OwnedKinds.File));
    }

    [Fact]
    public async Task What_comes_with_a_response_has_its_owner()
    {
        await PublishAsync(new PublishRequest(new OwnedId(OwnedKinds.Response, "resp_1"), Some.Owner(), null,
            With: [new OwnedId(OwnedKinds.Item, "msg_1"), new OwnedId(OwnedKinds.Encrypted, "enc_1")]));
        Assert.Equal((OwnerOutcome.Owner, "redis", Some.Owner()), await OneAsync("key-1", OwnedKinds.Item, "msg_1"));
        Assert.Equal(OwnerOutcome.Foreign, (await OneAsync("key-2", OwnedKinds.Item, "msg_1")).Outcome);
        // Whoever has the content has it; where it can be read is no secret.
        Assert.Equal(OwnerOutcome.Owner, (await OneAsync("key-2", OwnedKinds.Encrypted, "enc_1")).Outcome);
    }

    [Fact]
    public async Task An_item_is_found_by_the_row_of_its_response()
    {
        await Host.IngestAsync(Some.Row("resp_1") with { Items = "rs_1 msg_1" }, Some.Row("resp_2", keyId: "key-2") with { Items = "msg_2" }, Some.Row("resp_3"));
        Assert.Equal((OwnerOutcome.Owner, "postgres"), await OneAsync("key-1", OwnedKinds.Item, "msg_1") is var one ? (one.Outcome, one.Source) : default);
        Assert.Equal(OwnerOutcome.Owner, (await OneAsync("key-1", OwnedKinds.Item, "rs_1")).Outcome);
        Assert.Equal(OwnerOutcome.Foreign, (await OneAsync("key-1", OwnedKinds.Item, "msg_2")).Outcome);
        Assert.Equal(OwnerOutcome.Unknown, (await OneAsync("key-1", OwnedKinds.Item, "msg")).Outcome);
    }

    // The edge tries again what was not acknowledged, and the conversation may have moved on meanwhile.
    [Fact]
    public async Task A_publication_that_comes_late_does_not_move_a_scope_back()
    {
        var now = TimeProvider.System.GetUtcNow();
        await PublishAsync(Moved("resp_2", "account-2", now));
        await PublishAsync(Moved("resp_1", "account-1", now.AddSeconds(-1)));
        Assert.Equal("account-2", (await Host.ResolveAsync("key-1", "thread-1")).ScopeAccountId);
        await PublishAsync(Moved("resp_3", "account-3", now.AddSeconds(1)));
        Assert.Equal("account-3", (await Host.ResolveAsync("key-1", "thread-1")).ScopeAccountId);
    }

    private static PublishRequest Moved(string id, string account, DateTimeOffset at) =>
        new(new OwnedId(OwnedKinds.Response, id), Some.Owner(accountId: account), "thread-1", At: at);

    private async Task PublishAsync(PublishRequest request)
    {
        using var response = await Host.Http.PostAsJsonAsync(ContinuityRoutes.Publish, request, ContinuityJson.Default.PublishRequest);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }

    private async Task<(OwnerOutcome Outcome, string? Source, OwnerRecord? Owner)> OneAsync(string keyId, string kind, string id)
    {
        var answer = Assert.Single((await Host.ResolveAsync(new ResolveRequest(keyId, null, [new OwnedId(kind, id)]))).Owners);
        return (answer.Outcome, answer.Source, answer.Owner);
    }
}

using Proxy.Continuity.Contracts;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Tests.Turns;

public sealed class OwnerRouteTests
{
    [Fact]
    public void A_turn_that_names_nothing_prefers_its_scopes_account_and_demands_nothing() =>
        Assert.Equal(new OwnerRoute(null, "acc-scope", "none", null), Chosen("acc-scope"));

    [Fact]
    public void An_owner_is_a_demand_for_its_domain_and_stronger_than_the_scope() =>
        Assert.Equal(new OwnerRoute("dom-a", "acc-a", "redis", "trace-a", Anchor.Stored), Chosen("acc-scope", Owned("resp_1", "a", "redis")));

    [Fact]
    public void An_unknown_id_demands_nothing_and_is_told_of() =>
        Assert.Equal(new OwnerRoute(null, "acc-scope", "unknown", null, Anchor.Unknown, Unknown: new OwnedId(OwnedKinds.Response, "resp_1")), Chosen("acc-scope", Unknown("resp_1")));

    [Fact]
    public void The_first_known_owner_decides_where_unknown_ids_beside_it_go() =>
        Assert.Equal(new OwnerRoute("dom-a", "acc-a", "postgres", "trace-a", Anchor.Unknown, Unknown: new OwnedId(OwnedKinds.Response, "resp_1")), Chosen(null, Unknown("resp_1"), Owned("file-1", "a", "postgres"), Unknown("file-2"), Owned("file-3", "a", "redis")));

    [Theory]
    [InlineData(OwnedKinds.Response, 400, "previous_response_not_found")]
    [InlineData(OwnedKinds.Conversation, 404, null)]
    [InlineData(OwnedKinds.File, 404, null)]
    public void Another_keys_id_does_not_exist(string kind, int status, string? code)
    {
        var (route, error) = OwnerRoute.Choose([Owned("file-1", "a", "redis"), new(new OwnedId(kind, "x_1"), OwnerOutcome.Foreign, null, "redis")], null);
        Assert.Null(route);
        Assert.Equal((status, code), (error!.Status, error.Code));
        Assert.Contains("x_1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Owners_in_two_domains_are_refused_by_both_names()
    {
        var (route, error) = OwnerRoute.Choose([Owned("resp_1", "a", "redis"), Unknown("resp_2"), Owned("file-1", "b", "redis")], null);
        Assert.Null(route);
        Assert.Equal(Errors.TwoOwners("resp_1", "file-1"), error);
    }

    [Fact]
    public void Demands_are_anchor_conversation_and_files_in_that_order()
    {
        var request = new TurnRequest { NamedIds = [new OwnedId(OwnedKinds.File, "f1"), new OwnedId(OwnedKinds.File, "f2")], ConversationId = "conv_1", PreviousResponseId = "resp_1" };
        Assert.Equal(["resp_1", "conv_1", "f1", "f2"], OwnerRoute.DemandsOf(request).Select(id => id.Id));
        Assert.Empty(OwnerRoute.DemandsOf(new TurnRequest { Encrypted = [new OwnedId(OwnedKinds.Encrypted, "enc_1")], PromptCacheKey = "k" }));
    }

    private static OwnerRoute Chosen(string? scopeAccountId, params ResolvedOwner[] owners)
    {
        var (route, error) = OwnerRoute.Choose(owners, scopeAccountId);
        Assert.Null(error);
        return route!;
    }

    private static ResolvedOwner Owned(string id, string account, string source) =>
        new(new OwnedId(OwnedKinds.Response, id), OwnerOutcome.Owner, new OwnerRecord("key", $"acc-{account}", $"dom-{account}", null, true, $"trace-{account}"), source);

    private static ResolvedOwner Unknown(string id) => new(new OwnedId(OwnedKinds.Response, id), OwnerOutcome.Unknown, null, null);
}

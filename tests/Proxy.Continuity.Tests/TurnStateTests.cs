using System.Net;
using Proxy.Continuity.Contracts;

namespace Proxy.Continuity.Tests;

/// <summary>A turn state is resolved like any id, but it is a preference: nothing fails for want of it.</summary>
public sealed class TurnStateTests : StoresTest
{
    private static readonly OwnedId State = new(OwnedKinds.TurnState, "state-1");
    private static readonly OwnedId Response = new(OwnedKinds.Response, "resp_1");

    [Fact]
    public async Task A_published_turn_state_has_an_owner_and_is_foreign_to_other_keys()
    {
        Assert.Equal(HttpStatusCode.NoContent, await Host.PublishAsync(State.Id, Some.Owner(), kind: State.Kind));

        Assert.Equal(Some.Owner(), Assert.Single((await Host.ResolveAsync(new("key-1", null, [State]))).Owners).Owner);
        Assert.Equal(OwnerOutcome.Foreign, Assert.Single((await Host.ResolveAsync(new("key-2", null, [State]))).Owners).Outcome);
    }

    [Fact]
    public async Task A_turn_state_is_never_looked_up_in_postgres()
    {
        await Host.IngestAsync(Some.Row(State.Id));

        Assert.Equal(OwnerOutcome.Unknown, Assert.Single((await Host.ResolveAsync(new("key-1", null, [State]))).Owners).Outcome);
        Stores.Postgres.Gate.Close();
        Assert.Equal(OwnerOutcome.Unknown, Assert.Single((await Host.ResolveAsync(new("key-1", null, [State]))).Owners).Outcome);
    }

    [Fact]
    public async Task While_redis_is_down_a_turn_state_is_unknown_and_what_is_asked_with_it_is_answered()
    {
        await Host.PublishAsync(State.Id, Some.Owner(), kind: State.Kind);
        await Host.IngestAsync(Some.Row(Response.Id));
        Stores.Redis.Gate.Close();

        Assert.Equal(OwnerOutcome.Unknown, Assert.Single((await Host.ResolveAsync(new("key-1", "thread-1", [State]))).Owners).Outcome);
        Assert.Equal([OwnerOutcome.Unknown, OwnerOutcome.Owner], (await Host.ResolveAsync(new("key-1", null, [State, Response]))).Owners.Select(answer => answer.Outcome));
        // What is a demand still is one.
        using var miss = await Host.PostResolveAsync(new("key-1", null, [State, new(OwnedKinds.Response, "resp_nobody")]));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, miss.StatusCode);
    }
}

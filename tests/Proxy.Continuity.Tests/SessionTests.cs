using System.Globalization;
using System.Net;
using Proxy.Continuity.Contracts;

namespace Proxy.Continuity.Tests;

/// <summary>Claims on sessions, their fences, and what their records know.</summary>
public sealed class SessionTests : StoresTest
{
    private static readonly string Name = new('a', 64);
    private static readonly string Key = "continuity:session:" + Name;
    private static readonly OwnedId Response = new(OwnedKinds.Response, "resp_1");
    private static readonly OwnedId State = new(OwnedKinds.TurnState, "state-1");

    [Fact]
    public async Task A_free_session_is_claimed_and_a_living_claim_is_shown()
    {
        var mine = await ClaimAsync("h1", "http://one");
        Assert.Equal(("h1", "http://one"), (mine.Holder, mine.Address));

        var other = await ClaimAsync("h2", "http://two");
        Assert.Equal(("h1", mine.Epoch, "http://one"), (other.Holder, other.Epoch, other.Address));
        // As after an answer that was lost.
        Assert.Equal(mine.Epoch, (await ClaimAsync("h1", "http://one")).Epoch);
        Assert.Equal("http://one", (await FindAsync()).Address);
    }

    [Fact]
    public async Task Every_claim_has_a_greater_epoch_also_after_the_store_has_lost_the_last()
    {
        var first = await ClaimAsync("h1");
        await ExpireAsync();
        var second = await ClaimAsync("h2");
        Assert.True(second.Epoch > first.Epoch);

        await DeleteAsync();
        var third = await ClaimAsync("h3");
        Assert.True(third.Epoch > second.Epoch);

        // A clock that stands still, or goes back, is no reason to repeat one.
        await SetAsync("epoch", "9000000000000000");
        await ExpireAsync();
        Assert.Equal(9000000000000001, (await ClaimAsync("h4")).Epoch);
    }

    [Fact]
    public async Task Of_two_that_claim_at_once_one_has_it()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(number => ClaimAsync($"h{number}")));
        Assert.Single(answers.Select(answer => (answer.Holder, answer.Epoch)).Distinct());
    }

    [Theory]
    [InlineData("write")]
    [InlineData("renew")]
    [InlineData("publish")]
    [InlineData("release")]
    public async Task A_claim_that_was_superseded_changes_nothing(string what)
    {
        var old = ClaimOf(await ClaimAsync("h1"));
        await ExpireAsync();
        var now = await ClaimAsync("h2", "http://two");
        // The same epoch with another holder, and the same holder with another epoch, are as foreign.
        foreach (var claim in (SessionClaim[])[old, old with { Epoch = now.Epoch }, new SessionClaim(Name, now.Holder, old.Epoch)])
        {
            switch (what)
            {
                case "write":
                    Assert.Equal(HttpStatusCode.Conflict, await Host.PostAsync(ContinuityRoutes.WriteSession, Write(claim, response: "resp_old"), ContinuityJson.Default.WriteSessionRequest));
                    break;
                case "renew":
                    Assert.Equal([Name], (await RenewAsync(claim)).Lost);
                    break;
                case "publish":
                    var request = new PublishRequest(Response, Some.Owner(), null, claim);
                    Assert.Equal(HttpStatusCode.PreconditionFailed, await Host.PostAsync(ContinuityRoutes.Publish, request, ContinuityJson.Default.PublishRequest));
                    Assert.Equal(OwnerOutcome.Unknown, (await Host.ResolveAsync(new("key-1", null, [Response]))).Owners[0].Outcome);
                    break;
                default:
                    Assert.Equal(HttpStatusCode.NoContent, await ReleaseAsync(claim));
                    break;
            }
        }
        var record = await RecordAsync();
        Assert.Equal(("h2", "http://two", false), (record["holder"], record["address"], record.ContainsKey("response")));
        Assert.Equal("h2", (await ClaimAsync("h3")).Holder);
    }

    [Fact]
    public async Task A_released_session_is_free_at_once_and_a_renewal_on_its_way_does_not_bring_it_back()
    {
        var claim = ClaimOf(await ClaimAsync("h1"));
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(claim));
        await ReleaseAsync(claim);
        Assert.Equal(new FindSessionResponse(null, IsKnown: true), await FindAsync());
        Assert.Equal([Name], (await RenewAsync(claim)).Lost);

        var next = await ClaimAsync("h2");
        // For the account it was on.
        Assert.Equal(("h2", "account-1", "domain-1"), (next.Holder, next.AccountId, next.Domain));
    }

    [Fact]
    public async Task A_renewal_goes_on_where_nobody_has_claimed_and_writes_a_lost_record_anew()
    {
        var claim = ClaimOf(await ClaimAsync("h1"));
        await ExpireAsync();
        Assert.Empty((await RenewAsync(claim)).Lost);
        Assert.Equal("h1", (await ClaimAsync("h2")).Holder);

        await DeleteAsync();
        Assert.False((await FindAsync()).IsKnown);
        Assert.Empty((await RenewAsync(claim)).Lost);
        var shown = await ClaimAsync("h2");
        Assert.Equal(("h1", claim.Epoch, "http://one", "account-1"), (shown.Holder, shown.Epoch, shown.Address, shown.AccountId));
    }

    [Fact]
    public async Task A_write_without_a_record_makes_one_and_a_publication_needs_none()
    {
        var beside = new SessionClaim(Name + "~0123456789abcdef", "h1", 7);
        Assert.Equal(HttpStatusCode.NoContent, await Host.PostAsync(ContinuityRoutes.Publish, new PublishRequest(Response, Some.Owner(), null, beside), ContinuityJson.Default.PublishRequest));
        Assert.Equal(HttpStatusCode.NoContent, await Host.PostAsync(ContinuityRoutes.WriteSession, Write(beside), ContinuityJson.Default.WriteSessionRequest));
        Assert.Equal("http://one", (await Host.AskAsync(ContinuityRoutes.FindSession, new FindSessionRequest(beside.Session), ContinuityJson.Default.FindSessionRequest, ContinuityJson.Default.FindSessionResponse)).Address);
    }

    [Fact]
    public async Task Where_aliases_are_lost_the_record_knows_its_latest_response_and_turn_state()
    {
        var claim = ClaimOf(await ClaimAsync("h1"));
        await WriteAsync(claim, turnState: State.Id, response: Response.Id);
        // What is not given stays.
        await WriteAsync(claim);

        var answers = (await Host.ResolveAsync(new("key-1", null, [Response, State], "thread-1", Name))).Owners;
        Assert.All(answers, answer => Assert.Equal((OwnerOutcome.Owner, "session", "account-1", "domain-1", Name),
            (answer.Outcome, answer.Source!, answer.Owner!.AccountId, answer.Owner.Domain, answer.Owner.Session!)));
        Assert.False(answers[0].Owner!.Stored);
        // The alias is back: nobody has to name the session any more, and it is another key's for others.
        Assert.Equal("redis", (await Host.ResolveAsync(new("key-1", null, [Response]))).Owners[0].Source);
        Assert.Equal(OwnerOutcome.Foreign, (await Host.ResolveAsync(new("key-2", null, [Response], "thread-1", Name))).Owners[0].Outcome);
    }

    [Fact]
    public async Task Only_the_latest_is_known_and_only_to_its_key()
    {
        var claim = ClaimOf(await ClaimAsync("h1"));
        await WriteAsync(claim, response: "resp_0");
        await WriteAsync(claim, response: Response.Id);
        Assert.Equal(OwnerOutcome.Unknown, (await Host.ResolveAsync(new("key-1", null, [new(OwnedKinds.Response, "resp_0")], null, Name))).Owners[0].Outcome);
        Assert.Equal(OwnerOutcome.Foreign, (await Host.ResolveAsync(new("key-2", null, [Response], null, Name))).Owners[0].Outcome);
    }

    [Fact]
    public async Task Another_account_takes_away_what_the_one_before_has_given()
    {
        var claim = ClaimOf(await ClaimAsync("h1"));
        await WriteAsync(claim, turnState: State.Id, response: Response.Id);
        Assert.Equal(HttpStatusCode.NoContent, await WriteAsync(claim, account: "account-2"));

        var record = await RecordAsync();
        Assert.Equal("account-2", record["account"]);
        Assert.DoesNotContain(record.Keys, field => field is "turn_state" or "response" or "stored");
        Assert.All((await Host.ResolveAsync(new("key-1", null, [Response, State], null, Name))).Owners, answer => Assert.Equal(OwnerOutcome.Unknown, answer.Outcome));
    }

    [Fact]
    public async Task A_late_renewal_does_not_bring_the_account_before_back()
    {
        var claim = ClaimOf(await ClaimAsync("h1"));
        await WriteAsync(claim, account: "account-2", response: Response.Id);
        Assert.Empty((await RenewAsync(claim)).Lost);
        var record = await RecordAsync();
        Assert.Equal(("account-2", Response.Id), (record["account"], record["response"]));
    }

    [Fact]
    public async Task A_takeover_keeps_what_the_record_knows()
    {
        await WriteAsync(ClaimOf(await ClaimAsync("h1")), response: Response.Id);
        await ExpireAsync();
        Assert.Equal("account-1", (await ClaimAsync("h2")).AccountId);
        Assert.Equal("session", (await Host.ResolveAsync(new("key-1", null, [Response], null, Name))).Owners[0].Source);
    }

    // Whatever is written last, a record stays for a day, and its claim for a lease.
    [Theory]
    [InlineData("claim")]
    [InlineData("write")]
    [InlineData("renew")]
    [InlineData("release")]
    public async Task A_record_outlives_its_claim_by_a_day(string by)
    {
        var claim = ClaimOf(await ClaimAsync("h1"));
        await Stores.Redis.Database.KeyExpireAsync(Key, TimeSpan.FromMinutes(1));
        await SetAsync("lease_until", "1");
        switch (by)
        {
            case "claim":
                await ClaimAsync("h2");
                break;
            case "write":
                await WriteAsync(claim);
                break;
            case "renew":
                await RenewAsync(claim);
                break;
            default:
                await ReleaseAsync(claim);
                break;
        }
        var left = await Stores.Redis.Database.KeyTimeToLiveAsync(Key);
        Assert.InRange(left!.Value, TimeSpan.FromHours(23), TimeSpan.FromHours(24));
        var lease = long.Parse((await RecordAsync())["lease_until"], CultureInfo.InvariantCulture) - TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        Assert.InRange(lease, by == "release" ? long.MinValue : 0, by == "release" ? 0 : SessionClaim.LeaseSeconds * 1000);
    }

    [Fact]
    public async Task The_log_knows_the_session_when_Redis_has_lost_all()
    {
        await Host.IngestAsync(Some.Row(Response.Id) with { Stored = false, Session = Name });
        Assert.Equal((false, Name), (await Host.ResolveAsync(new("key-1", null, [Response]))).Owners.Select(answer => (answer.Owner!.Stored, answer.Owner.Session!)).Single());
    }

    [Theory]
    [InlineData("")]
    [InlineData("ABC")]
    [InlineData("a b")]
    [InlineData("a:b")]
    public async Task Names_that_no_edge_makes_are_refused(string name)
    {
        Assert.Equal(HttpStatusCode.BadRequest, await Host.PostAsync(ContinuityRoutes.ClaimSession, new ClaimSessionRequest(name, "h", "a"), ContinuityJson.Default.ClaimSessionRequest));
        Assert.Equal(HttpStatusCode.BadRequest, await Host.PostAsync(
            ContinuityRoutes.ClaimSession, new ClaimSessionRequest(new string('a', SessionClaim.MaxNameLength + 1), "h", "a"), ContinuityJson.Default.ClaimSessionRequest));
    }

    [Fact]
    public async Task While_Redis_is_away_nothing_is_said_of_sessions()
    {
        var claim = ClaimOf(await ClaimAsync("h1"));
        Stores.Redis.Gate.Close();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await Host.PostAsync(ContinuityRoutes.ClaimSession, new ClaimSessionRequest(Name, "h1", "a"), ContinuityJson.Default.ClaimSessionRequest));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await Host.PostAsync(ContinuityRoutes.FindSession, new FindSessionRequest(Name), ContinuityJson.Default.FindSessionRequest));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await WriteAsync(claim));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await Host.PostAsync(ContinuityRoutes.RenewSessions, new RenewSessionsRequest([Renewal(claim)]), ContinuityJson.Default.RenewSessionsRequest));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await ReleaseAsync(claim));
    }

    private static SessionClaim ClaimOf(ClaimSessionResponse answer) => new(Name, answer.Holder, answer.Epoch);

    private static WriteSessionRequest Write(SessionClaim claim, string account = "account-1", string? turnState = null, string? response = null) =>
        new(claim, "http://one", "key-1", account, "domain-1", turnState, response);

    private static RenewedSession Renewal(SessionClaim claim) => new(claim, "http://one", "key-1", "account-1", "domain-1");

    private Task<ClaimSessionResponse> ClaimAsync(string holder, string address = "http://one") => Host.AskAsync(
        ContinuityRoutes.ClaimSession, new ClaimSessionRequest(Name, holder, address), ContinuityJson.Default.ClaimSessionRequest, ContinuityJson.Default.ClaimSessionResponse);

    private Task<FindSessionResponse> FindAsync() => Host.AskAsync(
        ContinuityRoutes.FindSession, new FindSessionRequest(Name), ContinuityJson.Default.FindSessionRequest, ContinuityJson.Default.FindSessionResponse);

    private Task<RenewSessionsResponse> RenewAsync(SessionClaim claim) => Host.AskAsync(
        ContinuityRoutes.RenewSessions, new RenewSessionsRequest([Renewal(claim)]), ContinuityJson.Default.RenewSessionsRequest, ContinuityJson.Default.RenewSessionsResponse);

    private Task<HttpStatusCode> WriteAsync(SessionClaim claim, string account = "account-1", string? turnState = null, string? response = null) =>
        Host.PostAsync(ContinuityRoutes.WriteSession, Write(claim, account, turnState, response), ContinuityJson.Default.WriteSessionRequest);

    private Task<HttpStatusCode> ReleaseAsync(SessionClaim claim) =>
        Host.PostAsync(ContinuityRoutes.ReleaseSessions, new ReleaseSessionsRequest([claim]), ContinuityJson.Default.ReleaseSessionsRequest);

    // A lease that has run out, without the time it takes.
    private Task ExpireAsync() => SetAsync("lease_until", "1");

    private Task SetAsync(string field, string value) => Stores.Redis.Database.HashSetAsync(Key, field, value);

    private Task DeleteAsync() => Stores.Redis.Database.KeyDeleteAsync(Key);

    private async Task<Dictionary<string, string>> RecordAsync() =>
        (await Stores.Redis.Database.HashGetAllAsync(Key)).ToDictionary(entry => (string)entry.Name!, entry => (string)entry.Value!);
}

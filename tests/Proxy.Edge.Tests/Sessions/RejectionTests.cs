using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Quota, credentials, overload and what is the client's to read.</summary>
public sealed class RejectionTests
{
    public static TheoryData<string, string, bool> Quotas
    {
        get
        {
            var data = new TheoryData<string, string, bool>();
            foreach (var code in (string[])["rate_limit_exceeded", "usage_limit_reached", "insufficient_quota", "usage_not_included", "quota_exceeded"])
            {
                data.Add(code, "error", true);
                data.Add(code, "failed", false);
            }
            return data;
        }
    }

    // The account has no room any more: what is open there is no way for a turn of another one.
    [Fact]
    public async Task A_turn_of_another_account_takes_no_socket_of_the_one_before()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"));
        await edge.LocalAnchorAsync();
        edge.Accounts.Remove("a");
        await edge.GoesOnAsync();
        Assert.Equal((1, 1), (edge.FramesAt("a").Count, edge.FramesAt("b").Count));
        await edge.QuietAsync(turns: 2);
    }

    // The slot moves with the turn, and is never given back in between.
    [Theory]
    [MemberData(nameof(Quotas))]
    public async Task An_exhausted_account_is_left_for_another(string code, string shape, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").Rejects(shape, 429, code));
        });
        var body = Bridged.Body(stream: stream);
        var answer = await edge.SendAsync(body, headers: Bridged.Thread);
        answer.Completed();
        Assert.Equal($"owner=none; replays=1; reason={code}", answer.Header("x-continuity"));
        Assert.Equal([Bridged.FrameOf(body)], edge.FramesAt("a"));
        Assert.Equal([Bridged.FrameOf(body)], edge.FramesAt("b"));
        var row = Assert.Single(await edge.QuietAsync(turns: 1));
        Assert.Equal(("success", "acc-b", Bridged.Session), (row.Status, row.AccountId, row.Session));
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
        Assert.Equal("acc-a", edge.Accounts.Marks.Single().AccountId);
        var asked = edge.Accounts.AskedForTurns.ToList();
        Assert.Equal((2, null, "acc-a", asked[0].TurnId), (asked.Count, asked[0].MovesFrom, asked[1].MovesFrom, asked[1].TurnId));
        Assert.Equal(["acc-a"], asked[1].ExcludedAccountIds);
        // What the other account has minted is continued there.
        var second = await edge.CarryAsync("second", answer.Id);
        second.Completed();
        Assert.Equal((1, 2), (edge.FramesAt("a").Count, edge.FramesAt("b").Count));
        await edge.QuietAsync(turns: 2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Without_another_account_upstreams_own_answer_passes(bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Rejects("error", 429, "usage_limit_reached", "The usage limit has been reached")));
        var error = (await edge.CarryAsync(stream: stream)).Refused(429, "usage_limit_reached");
        Assert.Equal("The usage limit has been reached", error.Message());
        Assert.Single(edge.FramesAt("a"));
        await edge.GoesOnAsync();
        Assert.Equal(1, edge.HandshakesAt("a"));
        await edge.QuietAsync(turns: 2);
    }

    // An anchor has one account. Local or stored, it goes to no other.
    [Theory]
    [InlineData(true, 20, 502, "upstream_unavailable")]
    [InlineData(true, 3600, 400, "previous_response_not_found")]
    [InlineData(false, 20, 502, "upstream_unavailable")]
    [InlineData(false, 3600, 400, "previous_response_not_found")]
    public async Task An_exhausted_owner_is_not_left(bool local, int seconds, int status, string code)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().Rejects("error", 429, "usage_limit_reached", $"Limit reached, try again in {seconds}s"));
        });
        var anchor = local ? await edge.LocalAnchorAsync() : await edge.StoredAnchorAsync();
        var error = (await edge.CarryAsync("second", anchor)).Refused(status, code);
        Assert.Equal(status == 502, error.Message() == Told.OwnerAwayMessage);
        Assert.Equal((local ? 2 : 1, 0), (edge.FramesAt("a").Count, edge.HandshakesAt("b")));
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 3);
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
    }

    [Theory]
    [InlineData("created")]
    [InlineData("delta:1")]
    public async Task What_was_begun_is_not_begun_elsewhere(string after)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Once().Rejects("failed", 429, "usage_limit_reached", after: Position.Parse(after)));
        });
        var answer = await edge.CarryAsync();
        Assert.Equal((200, "usage_limit_reached"), (answer.Status, answer.Events[^1].Code()));
        Assert.Equal(0, edge.HandshakesAt("b"));
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2);
    }

    // A socket keeps the credential it was opened with: the new one needs a socket of its own.
    [Theory]
    [InlineData("frame", "renewed", 200)]
    [InlineData("frame", "other", 200)]
    [InlineData("frame", "none", 502)]
    [InlineData("upgrade", "renewed", 200)]
    [InlineData("upgrade", "other", 200)]
    [InlineData("upgrade", "none", 502)]
    public async Task A_refused_credential_is_read_anew_once(string where, string then, int status)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Organisation("org", "a", "a-new");
            edge.Sim.Script(rule => _ = (where == "upgrade" ? rule.OnUpgrade() : rule).Account("a").Refuses(401, "invalid_api_key", "Incorrect API key provided: a"));
            if (then == "renewed")
            {
                edge.Accounts.OnRefresh = _ => edge.Accounts.Rotate("a", "a-new");
            }
            else if (then == "other")
            {
                edge.Add("b");
            }
        });
        var answer = await edge.CarryAsync();
        if (status == 200)
        {
            answer.Completed();
        }
        else
        {
            answer.Refused(status, "upstream_authentication_failed");
        }
        Assert.DoesNotContain("Incorrect API key", answer.Body, StringComparison.Ordinal);
        Assert.Single(edge.Accounts.Asked, request => request.RefreshCredential);
        Assert.Equal((then == "renewed" ? 1 : 0, then == "other" ? 1 : 0), (edge.FramesAt("a-new").Count, edge.FramesAt("b").Count));
        await edge.QuietAsync(turns: 1);
        edge.Sim.ClearScript();
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2);
    }

    [Theory]
    [InlineData("error", 503, "server_is_overloaded", false)]
    [InlineData("failed", 503, "server_is_overloaded", false)]
    [InlineData("error", 529, "overloaded_error", true)]
    public async Task A_busy_account_is_left_by_what_is_not_bound_to_it(string shape, int status, string code, bool stored)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.OverWebSocket().Once().Rejects(shape, status, code));
        });
        var anchor = stored ? await edge.StoredAnchorAsync() : null;
        var answer = await edge.CarryAsync(anchor: anchor);
        answer.Completed();
        Assert.DoesNotContain(code, answer.Body, StringComparison.Ordinal);
        Assert.Equal(stored ? (2, 0) : (1, 1), (edge.FramesAt("a").Count, edge.HandshakesAt("b")));
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: stored ? 3 : 2);
        Assert.Empty(edge.Accounts.Marks);
    }

    [Fact]
    public async Task A_busy_upstream_is_not_asked_three_times()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Times(2).Rejects("error", 503, "server_is_overloaded", "Busy.")));
        Assert.Equal("Busy.", (await edge.CarryAsync()).Refused(503, "server_is_overloaded").Message());
        Assert.Equal(2, edge.FramesAt("a").Count);
        await edge.GoesOnAsync();
        await edge.QuietAsync(turns: 2);
    }

    // It is the client's to read, and nothing else happens.
    [Theory]
    [InlineData("error", false, true)]
    [InlineData("error", true, true)]
    [InlineData("failed", false, true)]
    [InlineData("error", true, false)]
    public async Task A_context_that_is_too_long_costs_no_session(string shape, bool followUp, bool hard)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"));
        (string, string)[] scope = hard ? [Bridged.Thread] : [("x-none", "1")];
        var more = hard ? "" : ",\"prompt_cache_key\":\"k\"";
        var first = await edge.CarryAsync("first", more: more, headers: scope);
        first.Completed();
        edge.Sim.Script(rule => rule.When(when => when with { Contains = "second" }).Once().Rejects(shape, 400, "context_length_exceeded", "Your input exceeds the context window of this model."));
        var body = Bridged.Body("second", followUp ? first.Id : null, more: more);
        var answer = await edge.SendAsync(body, headers: scope);
        Assert.Contains("\"code\":\"context_length_exceeded\",", answer.Body, StringComparison.Ordinal);
        Assert.Equal(shape == "error" ? 400 : 200, answer.Status);
        var frames = edge.FramesAt("a").ToList();
        Assert.Equal((2, Bridged.FrameOf(body)), (frames.Count, frames[1]));
        (await edge.CarryAsync("still there", more: more, headers: scope)).Completed();
        // Where a name may stand for several conversations, the one that lives on the socket keeps it.
        Assert.Equal((hard ? 1 : 2, 3, 0), (edge.HandshakesAt("a"), edge.FramesAt("a").Count, edge.HandshakesAt("b")));
        var rows = await edge.QuietAsync(turns: 3);
        Assert.Equal(("failed", "context_length_exceeded"), (rows[1].Status, rows[1].ErrorCode));
        Assert.Single(rows.Select(row => row.Session).Distinct());
        Assert.Empty(edge.Accounts.Marks);
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>A refusal is known by what it is, whoever's words it has, and costs nobody more than it must.</summary>
public sealed class RefusalFormTests
{
    private const string TooLarge = "Request too large for gpt-5.6 in organization org-1 on tokens per min (TPM): Limit 30000, Requested 90000. The input must be reduced.";

    private static readonly Dictionary<string, StatusStep> Forms = new()
    {
        ["azure models"] = new StatusStep(429)
        {
            Code = "RateLimitReached",
            Message = "Rate limit of 10 per 60s exceeded. Please wait 21 seconds before retrying.",
            Headers = new Dictionary<string, string> { ["retry-after"] = "21" },
        },
        ["azure"] = new StatusStep(429) { Code = "429", Message = "Requests have exceeded token rate limit of your current pricing tier. Please retry after 9 seconds." },
        ["too many requests"] = new StatusStep(429) { Code = "too_many_requests" },
        ["text"] = new StatusStep(429) { Body = JsonSerializer.SerializeToElement("Subscription quota exceeded.") },
        ["empty"] = new StatusStep(429) { Body = JsonSerializer.SerializeToElement("") },
        ["html"] = new StatusStep(429) { Body = JsonSerializer.SerializeToElement("<html><body>Too many requests</body></html>") },
        ["payment"] = new StatusStep(402) { Code = "payment_required" },
    };

    public static TheoryData<string> Names => [.. Forms.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task An_account_that_has_had_enough_is_left_for_another_and_left_alone(string form)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", webSockets: false);
            edge.Add("b", webSockets: false);
            edge.Accounts.MarksCool = true;
            edge.Sim.Script(rule => rule.Account("a").Then(Forms[form]));
        });
        for (var turn = 0; turn < 3; turn++)
        {
            Assert.Equal(200, (await edge.TurnAsync()).Status);
            await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
        }
        Assert.Equal((1, 3), (edge.BodiesAt("a").Count, edge.BodiesAt("b").Count));
        await edge.NothingIsLeftAsync(turns: 3, "a", "b");
        Assert.Single(edge.Continuity.Rows, row => row.Continuity!.Contains("replays=1", StringComparison.Ordinal));
    }

    // No other account would take it either, and the account is well.
    [Theory]
    [InlineData("http")]
    [InlineData("socket")]
    [InlineData("session")]
    public async Task A_request_that_is_larger_than_any_limit_is_the_clients_to_read(string surface)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Then(new StatusStep(429) { Code = "rate_limit_exceeded", Type = "tokens", Message = TooLarge }));
        });
        if (surface == "socket")
        {
            using var socket = await edge.ConnectAsync();
            var events = await socket.AskAsync(Asking.Frame());
            Assert.Equal(("rate_limit_exceeded", TooLarge), (events[^1].Code(), events[^1].Message()));
        }
        else
        {
            var (status, body) = await edge.AskAsync(Asking.HttpBody(Asking.Frame(store: surface != "session")), surface == "session" ? [Bridged.Thread] : []);
            Assert.Equal((429, TooLarge), (status, JsonNode.Parse(body)!.Message()));
        }
        Assert.Single(edge.Sim.Recorded.Of("a").Concat(edge.Sim.Recorded.Of("b")).SelectMany(one => one.Received.Select(frame => frame.Turn).Append(one.Turn)), turn => turn is not null);
        Assert.Equal(0, edge.Continuity.Rows.Count(row => row.Continuity!.Contains("replays=1", StringComparison.Ordinal)));
        Assert.Empty(edge.Accounts.Marks);
    }

    [Fact]
    public async Task A_rate_limit_cools_the_model_and_not_the_account()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Accounts.MarksCool = true;
            edge.Sim.Script(rule => rule.Account("a").Once().Refuses(429, "rate_limit_exceeded", "Rate limit reached. Please try again in 40s."));
        });
        Assert.Equal(200, (await edge.TurnAsync()).Status);
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
        Assert.Equal(("acc-a", RunningEdge.Model), (edge.Accounts.Marks.Single().AccountId, edge.Accounts.Marks.Single().Model));
        Assert.Equal(200, (await edge.TurnAsync()).Status);
        Assert.Equal((1, 2), (edge.BodiesAt("a").Count, edge.BodiesAt("b").Count));
        Assert.Equal(200, (await edge.AskAsync(RunningEdge.Body().Replace(RunningEdge.Model, "gpt-other", StringComparison.Ordinal))).Status);
        Assert.Equal((2, 2), (edge.BodiesAt("a").Count, edge.BodiesAt("b").Count));
    }

    // What refuses a turn on a second account may be the turn's own: it must not take one account after the other from everybody.
    [Theory]
    [InlineData("rate_limit_exceeded")]
    [InlineData("usage_limit_reached")]
    public async Task A_turn_lets_one_account_cool_down_at_most(string code)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Refuses(429, code));
        });
        Assert.Equal(429, (await edge.TurnAsync()).Status);
        Assert.Equal((1, 1), (edge.BodiesAt("a").Count, edge.BodiesAt("b").Count));
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Equal("acc-a", Assert.Single(edge.Accounts.Marks).AccountId);
    }

    [Fact]
    public async Task A_refused_credential_cools_the_account_once_a_second_turn_is_refused_too()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").Refuses(401, "invalid_api_key"));
        });
        Assert.Equal(200, (await edge.TurnAsync()).Status);
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Empty(edge.Accounts.Marks);
        Assert.Equal(200, (await edge.TurnAsync()).Status);
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
        var mark = edge.Accounts.Marks.Single();
        Assert.Equal(("acc-a", null), (mark.AccountId, mark.Model));
        // Not for long: an administrator may renew it.
        Assert.InRange((mark.Until - TimeProvider.System.GetUtcNow()).TotalSeconds, 20, 60);
    }

    [Fact]
    public async Task A_credential_that_was_just_renewed_and_is_refused_cools_the_account_at_once()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Accounts.OnRefresh = _ => edge.Accounts.Rotate("a", "a-new");
            edge.Sim.Script(rule => rule.Refuses(401, "invalid_api_key"));
        });
        Assert.Equal(502, (await edge.TurnAsync()).Status);
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
    }

    // One caller's odd request, between others' that are served, takes the account from nobody.
    [Fact]
    public async Task A_turn_that_is_served_takes_the_doubt_away()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { Contains = "odd" }).Refuses(401, "invalid_api_key")));
        for (var turn = 0; turn < 3; turn++)
        {
            Assert.Equal(502, (await edge.AskAsync(RunningEdge.Body().Replace("hello", "odd", StringComparison.Ordinal))).Status);
            Assert.Equal(200, (await edge.TurnAsync()).Status);
        }
        await edge.NothingIsLeftAsync(turns: 6);
        Assert.Empty(edge.Accounts.Marks);
    }
}

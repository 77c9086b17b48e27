using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Rule 6, exhausted accounts over WebSocket.</summary>
public sealed class QuotaTests
{
    public static TheoryData<string, string> Codes
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var code in (string[])["rate_limit_exceeded", "usage_limit_reached", "insufficient_quota", "usage_not_included", "quota_exceeded"])
            {
                data.Add(code, "error");
                data.Add(code, "failed");
            }
            return data;
        }
    }

    // The failed account is excluded, not only marked.
    [Theory]
    [MemberData(nameof(Codes))]
    public async Task A_turn_goes_once_to_another_account(string code, string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").Rejects(shape, 429, code));
        });
        using (var socket = await edge.ConnectAsync())
        {
            var frame = Asking.Frame("once", more: ",\"prompt_cache_key\":\"k\"");
            Told.Completed(await socket.AskAsync(frame));
            Assert.Equal([frame], edge.FramesAt("a"));
            Assert.Equal([frame], edge.FramesAt("b"));
            await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
            Assert.Equal(("acc-a", code), (edge.Accounts.Marks.Single().AccountId, edge.Accounts.Marks.Single().Reason));
            var asked = edge.Accounts.AskedForTurns.ToArray();
            Assert.Equal(asked[0].TurnId, asked[^1].TurnId);
            Assert.Equal("acc-a", asked[^1].MovesFrom);
            Assert.Equal(["acc-a"], asked[^1].ExcludedAccountIds);
            edge.Sim.ClearScript();
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2, "a", "b");
        Assert.Empty(edge.Accounts.MovedWrongly);
        var row = edge.Continuity.Rows.Single(row => row.Continuity?.Contains("replays=1", StringComparison.Ordinal) == true);
        Assert.Equal(("acc-b", "dom-b", "success", null), (row.AccountId, row.Domain, row.Status, row.ErrorCode));
        Assert.EndsWith($"replays=1; reason={code}", row.Continuity, StringComparison.Ordinal);
        Assert.Equal("acc-b", edge.Accounts.Settled.Single(turn => turn.TurnId == row.Id).AccountId);
        Assert.Equal("acc-b", edge.Continuity.OwnerOf(row.RequestId!)!.AccountId);
    }

    // Hints in all their units; what cannot be is not believed.
    [Theory]
    [InlineData("""{"resets_in_seconds":1800}""", null, "", 1800)]
    [InlineData("""{"resets_at":SOON}""", null, "", 3600)]
    [InlineData("{}", "retry-after=90", "", 90)]
    [InlineData("{}", "retry-after-ms=90000", "", 90)]
    [InlineData("{}", "x-ratelimit-reset-requests=1m30s", "", 90)]
    [InlineData("{}", "x-ratelimit-reset-tokens=2h", "", 7200)]
    [InlineData("{}", null, "Rate limit reached. Please try again in 1m30s.", 90)]
    [InlineData("{}", null, "Please try again in 2h5m.", 7500)]
    [InlineData("{}", null, "Please try again in 120 seconds.", 120)]
    [InlineData("""{"resets_at":1000000000}""", null, "", 0)]
    [InlineData("""{"resets_in_seconds":1e15}""", null, "", 0)]
    [InlineData("{}", null, "", 0)]
    public async Task The_mark_ends_when_upstream_says(string hints, string? header, string message, int seconds)
    {
        var fields = hints.Replace("SOON", $"{TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + 3600}", StringComparison.Ordinal).TrimStart('{').TrimEnd('}');
        var body = System.Text.Json.JsonDocument.Parse($$$"""{"error":{"type":"usage_limit_reached","code":"usage_limit_reached","message":"{{{message}}}"{{{(fields.Length > 0 ? "," + fields : "")}}}}}""").RootElement;
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").Then(new StatusStep(429)
            {
                Body = body,
                Headers = header?.Split('=') is { } pair ? new Dictionary<string, string> { [pair[0]] = pair[1] } : [],
            }));
        });
        using var socket = await edge.ConnectAsync();
        var before = TimeProvider.System.GetUtcNow();
        Told.Completed(await socket.AskAsync(Asking.Frame()));
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
        var length = (edge.Accounts.Marks.Single().Until - before).TotalSeconds;
        // Without a hint it is short; the time that the test takes is allowed for.
        Assert.InRange(length, seconds == 0 ? 1 : seconds - 10, seconds == 0 ? 330 : seconds + 60);
    }

    [Theory]
    [InlineData("error")]
    [InlineData("failed")]
    public async Task Where_there_is_no_other_account_upstreams_own_error_passes(string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Rejects(shape, 429, "usage_limit_reached", "The usage limit has been reached")));
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame());
            var told = Assert.Single(await socket.UntilTerminalAsync());
            Assert.Equal(Assert.Single(edge.Sim.Recorded.Sockets.SelectMany(one => one.Sent)).Text, told);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
        Assert.Single(edge.Continuity.Rows, row => row is { Status: "failed", ErrorCode: "usage_limit_reached" });
    }

    // An exhausted pool looks like one exhausted account.
    [Fact]
    public async Task Where_the_others_cool_down_the_first_that_comes_back_is_told()
    {
        var first = TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(1);
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Add("c");
            edge.Accounts.Cool("b", first + TimeSpan.FromHours(1));
            edge.Accounts.Cool("c", first);
            edge.Sim.Script(rule => rule.Once().Errors(429, "usage_limit_reached"));
        });
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(Asking.Frame());
            Told.Failed(events, "usage_limit_reached", 429);
            Assert.Equal(first.ToUnixTimeSeconds(), (long)events[^1].Error()!["resets_at"]!);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2, "a", "b", "c");
    }

    // Rule 2.
    [Theory]
    [InlineData("error")]
    [InlineData("failed")]
    public async Task There_is_one_replay_however_many_accounts_there_are(string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Add("c");
            edge.Sim.Script(rule => rule.Times(2).Rejects(shape, 429, "usage_limit_reached", "of {model}"));
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame());
            var told = Assert.Single(await socket.UntilTerminalAsync());
            Assert.Equal(Assert.Single(edge.Sim.Recorded.Of("b").SelectMany(one => one.Sent)).Text, told);
            Assert.Empty(edge.FramesAt("c"));
            await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2, "a", "b", "c");
    }

    // The owner's domain comes first.
    [Theory]
    [InlineData("error", "anchor")]
    [InlineData("failed", "anchor")]
    [InlineData("error", "conversation")]
    [InlineData("error", "file")]
    public async Task A_turn_with_demands_moves_within_its_domain(string shape, string demand)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Accounts.Remove("a");
            edge.Add("other");
            edge.Add("a", domain: "org");
            edge.Add("b", domain: "org");
            edge.Sim.Script(rule => rule.Account("a").When(when => when with { Contains = "wanted" }).Rejects(shape, 429, "usage_limit_reached"));
            edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
            edge.Continuity.Own("wanted-id", "a", domain: "org");
        });
        using (var socket = await edge.ConnectAsync())
        {
            Told.Completed(await socket.AskAsync(Demand("wanted", demand)));
            Assert.Single(edge.FramesAt("a"));
            Assert.Equal(edge.FramesAt("a"), edge.FramesAt("b"));
            Assert.Empty(edge.FramesAt("other"));
            Assert.All(edge.Accounts.AskedForTurns, request => Assert.Equal("org", request.Domain));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2, "a", "b", "other");
    }

    // Rule 9 adds what a client can do when it takes long.
    [Theory]
    [InlineData("anchor", "20", 502, "upstream_unavailable")]
    [InlineData("anchor", "3600", 400, "previous_response_not_found")]
    [InlineData("conversation", "20", 502, "upstream_unavailable")]
    [InlineData("conversation", "3600", 404, null)]
    [InlineData("file", "3600", 404, null)]
    public async Task Where_the_domain_is_exhausted_it_fails_closed(string demand, string retryAfter, int status, string? code)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("other");
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "wanted" }).Then(new ErrorStep
            {
                Status = 429,
                Code = "usage_limit_reached",
                Message = "limit",
                Headers = new Dictionary<string, string> { ["retry-after"] = retryAfter },
            }));
            edge.Continuity.Own("wanted-id", "a");
        });
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(Demand("wanted", demand));
            Told.Failed(events, code, status);
            if (status == 502)
            {
                Assert.Equal(Told.OwnerAwayMessage, events[^1].Message());
            }
            Assert.Single(edge.FramesAt("a"));
            Assert.Empty(edge.FramesAt("other"));
            await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2, "a", "other");
    }

    // An id that lives on a socket is worth nothing even on the domain's other accounts.
    [Fact]
    public async Task A_connection_local_anchor_moves_nowhere()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Accounts.Remove("a");
            edge.Add("a", domain: "org");
            edge.Add("b", domain: "org");
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Rejects("error", 429, "usage_limit_reached", "Please try again in 20s."));
        });
        using (var socket = await edge.ConnectAsync())
        {
            var events = await socket.AskAsync(Asking.Frame("second", store: false, anchor: await socket.AnchorAsync(store: false)));
            Told.Failed(events, "upstream_unavailable", 502);
            Assert.Equal((2, 0), (edge.FramesAt("a").Count, edge.FramesAt("b").Count));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 3, "a", "b");
    }

    // Rule 1.
    [Theory]
    [InlineData("error")]
    [InlineData("failed")]
    public async Task After_created_it_passes_as_it_came(string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").Once().Rejects(shape, 429, "usage_limit_reached", after: Position.Created));
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame());
            var received = await socket.UntilTerminalAsync();
            Assert.Equal(edge.Sim.Recorded.Of("a").SelectMany(one => one.Sent).Select(frame => frame.Text), received);
            Assert.Empty(edge.FramesAt("b"));
            await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2, "a", "b");
    }

    // The others stay where they are.
    [Theory]
    [InlineData("created", "error")]
    [InlineData("created", "failed")]
    [InlineData("start", "error")]
    public async Task Other_turns_of_the_socket_are_undisturbed(string otherIsAt, string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", lanes: true);
            edge.Add("b", lanes: true);
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "stalls" }).Stalls(Position.Parse(otherIsAt)));
            edge.Sim.Script(rule => rule.Account("a").When(when => when with { Contains = "limited" }).Rejects(shape, 429, "usage_limit_reached"));
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("stalls", "x"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            await socket.SendAsync(Asking.Frame("limited", "y"));
            Assert.Contains("You said: limited", (await socket.UntilTerminalAsync("y"))[^1], StringComparison.Ordinal);
            edge.Sim.Release();
            Assert.Contains("You said: stalls", (await socket.UntilTerminalAsync("x"))[^1], StringComparison.Ordinal);
            Assert.Equal((2, 1), (edge.FramesAt("a").Count, edge.FramesAt("b").Count));
            await socket.StillWorksAsync("x");
            await socket.StillWorksAsync("y");
        }
        await edge.NothingIsLeftAsync(turns: 4, "a", "b");
    }

    // The second of two pipelined turns held up the replay of the first, for ever.
    [Theory]
    [InlineData("error")]
    [InlineData("failed")]
    public async Task A_turn_that_waits_behind_it_does_not_lock_it_out(string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").When(when => when with { Contains = "first" }).Stalls().Rejects(shape, 429, "usage_limit_reached"));
        });
        using (var socket = await edge.ConnectAsync())
        {
            await socket.SendAsync(Asking.Frame("first"));
            await socket.SendAsync(Asking.Frame("second"));
            await socket.SendAsync(Asking.Frame("third"));
            await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
            edge.Sim.Release();
            foreach (var input in (string[])["first", "second", "third"])
            {
                Assert.Contains($"You said: {input}.", (await socket.UntilTerminalAsync())[^1], StringComparison.Ordinal);
            }
        }
        await edge.NothingIsLeftAsync(turns: 3, "a", "b");
    }

    // The account that refuses the turn also serves its scope: the preference does not bring it back.
    [Fact]
    public async Task A_scope_moves_with_its_turn()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Continuity.Bind("thread:t", "a");
            edge.Sim.Script(rule => rule.Account("a").Once().Errors(429, "usage_limit_reached"));
        });
        using (var socket = await edge.ConnectAsync(headers: ("thread-id", "t")))
        {
            Told.Completed(await socket.AskAsync(Asking.Frame()));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2, "a", "b");
        Assert.Equal((1, 2), (edge.FramesAt("a").Count, edge.FramesAt("b").Count));
        Assert.All(edge.Continuity.Published, published => Assert.Equal(("thread:t", "acc-b"), (published.Scope, published.Owner.AccountId)));
    }

    internal static string Demand(string input, string demand) => demand switch
    {
        "anchor" => Asking.Frame(input, anchor: "wanted-id"),
        "conversation" => Asking.Frame(input, more: ",\"conversation\":\"wanted-id\""),
        _ => $$$"""{"type":"response.create","model":"{{{RunningEdge.Model}}}","input":[{"role":"user","content":[{"type":"input_text","text":"{{{input}}}"},{"type":"input_file","file_id":"wanted-id"}]}]}""",
    };
}

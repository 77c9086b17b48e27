using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>The same rules over HTTP.</summary>
public sealed class HttpRecoveryTests
{
    public static TheoryData<string, bool> NotFound => new()
    {
        { "status", true }, { "status", false }, { "status invalid", true }, { "status message", true }, { "status type", false },
        { "error", true }, { "error message", true }, { "failed", true }, { "failed", false }, { "failed anonymous", true }, { "failed foreign", true }, { "lines", true },
    };

    // test_v1_responses_previous_response_not_found_without_http_bridge_returns_stream_incomplete; with a known owner or without one.
    // The second time the client is told the truth. Not repeated: HTTP has no socket whose memory could have been lost.
    [Theory]
    [MemberData(nameof(NotFound))]
    public async Task A_lost_anchor_is_masked_once_and_then_told(string shape, bool stream)
    {
        foreach (var known in (bool[])[true, false])
        {
            await using var edge = await RunningEdge.StartAsync(edge =>
            {
                edge.Add("b");
                edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).SaysNotFoundOverHttp(shape));
                if (known)
                {
                    edge.Continuity.Own("resp_lost", "a");
                }
            });
            var body = Asking.HttpBody(Asking.Frame("second", anchor: "resp_lost"), stream);
            var first = await edge.AskAsync(body);
            Assert.Equal((502, "stream_incomplete", Told.ClosedMessage), (first.Status, JsonNode.Parse(first.Body)!.Code(), JsonNode.Parse(first.Body)!.Message()));
            Assert.DoesNotContain("not_found", first.Body, StringComparison.Ordinal);
            var second = await edge.AskAsync(body);
            var error = JsonNode.Parse(second.Body)!;
            Assert.Equal((400, "previous_response_not_found", "previous_response_id"), (second.Status, error.Code(), (string?)error.Error()!["param"]));
            Assert.Equal([body, body], edge.BodiesAt("a"));
            Assert.Empty(edge.BodiesAt("b"));
            Assert.Equal(200, (await edge.TurnAsync()).Status);
            await edge.NothingIsLeftAsync(turns: 3, "a", "b");
            Assert.Empty(edge.Accounts.Marks);
            Assert.Empty(edge.Counters.All("continuity.replay"));
        }
    }

    // It comes within the stream.
    [Theory]
    [InlineData("error")]
    [InlineData("failed")]
    [InlineData("failed anonymous")]
    [InlineData("failed foreign")]
    [InlineData("error message")]
    [InlineData("lines")]
    public async Task After_created_the_stream_fails_under_its_own_id(string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Continuity.Own("resp_lost", "a");
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Answer(answer => answer with { Unchecked = true }).SaysNotFoundOverHttp(shape, Position.Delta(1)));
        });
        var (status, body) = await edge.AskAsync(Asking.HttpBody(Asking.Frame("second", anchor: "resp_lost")));
        Assert.Equal(200, status);
        Told.Masked(Sse.Read(body));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Theory]
    [InlineData("status", "invalid_request_error", "previous_response_id", "Invalid request payload")]
    [InlineData("status", "context_length_exceeded", "input", "Your input exceeds the context window.")]
    [InlineData("failed", "context_length_exceeded", null, "Your input exceeds the context window.")]
    [InlineData("error", "invalid_prompt", null, "No.")]
    public async Task Other_errors_of_a_follow_up_keep_their_status_and_bytes(string shape, string code, string? param, string message)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Continuity.Own("resp_1", "a");
            edge.Sim.Script(rule => _ = shape switch
            {
                "status" => rule.Then(new StatusStep(400) { Code = code, Param = param, Message = message }),
                "error" => rule.Then(new ErrorStep { Code = code, Param = param, Message = message }),
                _ => rule.Then(new FailedStep { Code = code, Param = param, Message = message }),
            });
        });
        var (status, body) = await edge.AskAsync(Asking.HttpBody(Asking.Frame(anchor: "resp_1")));
        Assert.Equal(shape == "status" ? 400 : 200, status);
        Assert.Contains($"\"code\":\"{code}\"", body, StringComparison.Ordinal);
        Assert.Contains(message, body, StringComparison.Ordinal);
        await edge.NothingIsLeftAsync(turns: 1);
        Assert.Single(edge.BodiesAt("a"));
        Assert.Empty(edge.Accounts.Marks);
    }

    public static TheoryData<string, bool, string> Quotas
    {
        get
        {
            var data = new TheoryData<string, bool, string>();
            foreach (var code in (string[])["rate_limit_exceeded", "usage_limit_reached", "insufficient_quota", "usage_not_included", "quota_exceeded"])
            {
                data.Add("status", true, code);
                data.Add("failed", true, code);
            }
            data.Add("status", false, "usage_limit_reached");
            data.Add("error", true, "usage_limit_reached");
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Quotas))]
    public async Task An_exhausted_account_is_left_for_another(string shape, bool stream, string code)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Account("a").RejectsOverHttp(shape, 429, code));
        });
        var body = Asking.HttpBody(Asking.Frame(), stream);
        using var response = await edge.PostAsync(body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal(200, (int)response.StatusCode);
        if (stream)
        {
            Told.Completed(Sse.Read(text));
        }
        else
        {
            Assert.Equal("completed", (string?)JsonNode.Parse(text)!["status"]);
        }
        Assert.Equal([body], edge.BodiesAt("a"));
        Assert.Equal([body], edge.BodiesAt("b"));
        var continuity = Assert.Single(response.Headers.GetValues("x-continuity"));
        Assert.Equal($"owner=none; replays=1; reason={code}", continuity);
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Equal((continuity, "acc-b"), ((await edge.RowAsync()).Continuity, (await edge.RowAsync()).AccountId));
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
        Assert.Equal("acc-a", edge.Accounts.Marks.Single().AccountId);
        var last = edge.Accounts.AskedForTurns.Last();
        Assert.Equal("acc-a", last.MovesFrom);
        Assert.Equal(["acc-a"], last.ExcludedAccountIds);
        Assert.Empty(edge.Accounts.MovedWrongly);
    }

    // test_stream_previous_response_owner_usage_limit_fails_closed and rule 9; within the domain the turn moves.
    [Theory]
    [InlineData("status", true, false, "20", 502, "upstream_unavailable")]
    [InlineData("status", false, false, "20", 502, "upstream_unavailable")]
    [InlineData("status", true, false, "3600", 400, "previous_response_not_found")]
    [InlineData("failed", true, false, "try again in 20s", 502, "upstream_unavailable")]
    [InlineData("status", true, true, "20", 200, null)]
    [InlineData("failed", true, true, "try again in 20s", 200, null)]
    public async Task An_exhausted_owner_is_left_within_its_domain_only(string shape, bool stream, bool hasOther, string hint, int status, string? code)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Accounts.Remove("a");
            edge.Add("a", domain: "org");
            edge.Add("other");
            if (hasOther)
            {
                edge.Add("b", domain: "org");
            }
            edge.Continuity.Own("resp_1", "a", domain: "org");
            edge.Sim.Script(rule => rule.Account("a").RejectsOverHttp(shape, 429, "usage_limit_reached", shape == "status" ? "limit" : hint,
                shape == "status" ? [("retry-after", hint)] : []));
            edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        });
        var (told, body) = await edge.AskAsync(Asking.HttpBody(Asking.Frame(anchor: "resp_1"), stream));
        Assert.Equal(status, told);
        if (code is not null)
        {
            Assert.Equal(code, JsonNode.Parse(body)!.Code());
            Assert.Equal(status == 502, JsonNode.Parse(body)!.Message() == Told.OwnerAwayMessage);
        }
        Assert.Empty(edge.BodiesAt("other"));
        Assert.Equal(hasOther ? 1 : 0, edge.BodiesAt("b").Count);
        await edge.NothingIsLeftAsync(turns: 1, "a", "b", "other");
        await Eventually.TrueAsync(() => edge.Accounts.Marks.Count == 1);
    }

    [Theory]
    [InlineData("status", 429)]
    [InlineData("failed", 200)]
    public async Task Without_another_account_upstreams_own_answer_passes(string shape, int status)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.RejectsOverHttp(shape, 429, "usage_limit_reached", "The usage limit has been reached")));
        var (told, body) = await edge.AskAsync(Asking.HttpBody(Asking.Frame()));
        Assert.Equal(status, told);
        Assert.Contains("The usage limit has been reached", body, StringComparison.Ordinal);
        Assert.Single(edge.BodiesAt("a"));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    // Rule 4: SDKs would send it again by themselves. It may have run: so once, and counted.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_that_dies_before_any_byte_of_the_answer_is_tried_once_more(bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Once().Cuts());
        });
        using var response = await edge.PostAsync(Asking.HttpBody(Asking.Frame(), stream));
        Assert.Equal(200, (int)response.StatusCode);
        Assert.Contains("You said: hello.", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Equal((2, 0), (edge.Sim.Account("a").Turns, edge.Sim.Account("b").Turns));
        Assert.Equal("owner=none; replays=1; reason=ambiguous", (await edge.RowAsync()).Continuity);
        Assert.Equal(1, edge.Counters.Of("continuity.replay", ("trigger", "ambiguous")));
        Assert.Empty(edge.Accounts.Marks);
    }

    // Then clients are told not to. An end without an answer is no answer.
    [Theory]
    [InlineData("cut", "start", true, "", "Recovery:ReplayAfterClose=precreated")]
    [InlineData("cut", "start", false, "", "Recovery:ReplayAfterClose=precreated")]
    [InlineData("eof", "start", true, "once", "Recovery:ReplayAfterClose=precreated")]
    [InlineData("eof", "start", false, "once", "Recovery:ReplayAfterClose=precreated")]
    [InlineData("cut", "start", true, "once", "Recovery:ReplayAfterClose=unsent")]
    public async Task What_may_have_run_is_repeated_by_nobody_else(string how, string after, bool stream, string times, string setting)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => (times == "once" ? rule.Once() : rule).Breaks(how, Position.Parse(after)));
        }, setting);
        using var response = await edge.PostAsync(Asking.HttpBody(Asking.Frame(), stream));
        Assert.Equal((502, "stream_incomplete"), ((int)response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!.Code()));
        Assert.Equal("false", Assert.Single(response.Headers.GetValues("x-should-retry")));
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Equal((times == "once" ? 1 : 2, 0), (edge.Sim.Account("a").Turns, edge.Sim.Account("b").Turns));
        Assert.Empty(edge.Accounts.Marks);
    }

    // A second run would be a second follow-up.
    [Theory]
    [InlineData("anchor")]
    [InlineData("conversation")]
    public async Task A_follow_up_that_may_have_run_is_not_repeated(string demand)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Continuity.Own("wanted-id", "a");
            edge.Sim.Script(rule => rule.Cuts());
        });
        var frame = demand == "anchor" ? Asking.Frame(anchor: "wanted-id") : Asking.Frame(more: ",\"conversation\":\"wanted-id\"");
        using var response = await edge.PostAsync(Asking.HttpBody(frame));
        Assert.Equal((502, "false"), ((int)response.StatusCode, Assert.Single(response.Headers.GetValues("x-should-retry"))));
        Assert.Equal(1, edge.Sim.Account("a").Turns);
    }

    // Nothing was sent: another account may have it.
    [Theory]
    [InlineData(false, true, 200, null)]
    [InlineData(false, false, 502, "upstream_unavailable")]
    [InlineData(true, true, 502, "upstream_unavailable")]
    public async Task An_account_that_cannot_be_reached_is_left_for_another(bool followUp, bool hasOther, int status, string? code)
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var address = $"http://{closed.LocalEndpoint}/v1";
        closed.Stop();
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", baseUrl: address);
            edge.Continuity.Own("resp_1", "a");
            if (hasOther)
            {
                edge.Add("b");
            }
        });
        var (told, body) = await edge.AskAsync(Asking.HttpBody(Asking.Frame(anchor: followUp ? "resp_1" : null)));
        Assert.Equal(status, told);
        Assert.Equal(code, status == 200 ? null : JsonNode.Parse(body)!.Code());
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Empty(edge.Accounts.Marks);
        Assert.Empty(edge.Accounts.MovedWrongly);
    }

    // One refresh, whatever the surface; then as over a WebSocket.
    [Theory]
    [InlineData("renewed", 200)]
    [InlineData("other", 200)]
    [InlineData("none", 502)]
    public async Task A_refused_credential_is_read_anew_once(string then, int status)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Organisation("org", "a", "a-new");
            edge.Sim.Script(rule => rule.Account("a").Refuses(401, "invalid_api_key", "Incorrect API key provided: a"));
            if (then == "renewed")
            {
                edge.Accounts.OnRefresh = _ => edge.Accounts.Rotate("a", "a-new");
            }
            else if (then == "other")
            {
                edge.Add("b");
            }
        });
        var (told, body) = await edge.AskAsync(Asking.HttpBody(Asking.Frame()));
        Assert.Equal(status, told);
        Assert.Equal(then == "none" ? "upstream_authentication_failed" : null, status == 200 ? null : JsonNode.Parse(body)!.Code());
        Assert.DoesNotContain("Incorrect API key", body, StringComparison.Ordinal);
        Assert.Single(edge.Accounts.Asked, request => request.RefreshCredential);
        Assert.Equal((1, then == "renewed" ? 1 : 0, then == "other" ? 1 : 0), (edge.BodiesAt("a").Count, edge.BodiesAt("a-new").Count, edge.BodiesAt("b").Count));
        await edge.NothingIsLeftAsync(turns: 1, "a", "a-new", "b");
    }

    [Theory]
    [InlineData("status", 503, "server_is_overloaded", true)]
    [InlineData("status", 529, "overloaded_error", true)]
    [InlineData("status", 503, "slow_down", false)]
    [InlineData("failed", 200, "server_is_overloaded", true)]
    [InlineData("error", 200, "overloaded_error", true)]
    public async Task A_busy_account_is_left_for_another(string shape, int status, string code, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.Once().RejectsOverHttp(shape, status, code));
        });
        var (told, body) = await edge.AskAsync(Asking.HttpBody(Asking.Frame(), stream));
        Assert.Equal(200, told);
        Assert.Contains("You said: hello.", body, StringComparison.Ordinal);
        Assert.DoesNotContain(code, body, StringComparison.Ordinal);
        Assert.Equal((1, 1), (edge.BodiesAt("a").Count, edge.BodiesAt("b").Count));
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
        Assert.Empty(edge.Accounts.Marks);
    }

    // However soon the follow-up comes.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_follow_up_finds_its_owner_as_soon_as_the_answer_has_ended(bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("b"));
        var first = await edge.AskAsync(Asking.HttpBody(Asking.Frame(), stream), ("session_id", "sid"));
        var anchor = stream ? Sse.Read(first.Body)[^1].Id() : (string?)JsonNode.Parse(first.Body)!["id"];
        Assert.Equal("acc-a", edge.Continuity.OwnerOf(anchor!)!.AccountId);
        edge.Accounts.Put(edge.Accounts.All[0]);
        var second = await edge.AskAsync(Asking.HttpBody(Asking.Frame("second", anchor: anchor), stream), ("session_id", "sid"));
        Assert.Equal(200, second.Status);
        Assert.Contains($"Anchor: {anchor}", second.Body, StringComparison.Ordinal);
        await edge.NothingIsLeftAsync(turns: 2, "a", "b");
        Assert.Equal("dom-a", edge.Accounts.AskedForTurns.Last().Domain);
        Assert.All(edge.Continuity.Rows, row => Assert.Equal(("sid", "acc-a"), (row.SessionId, row.AccountId)));
        Assert.Contains(edge.Continuity.Rows, row => row.RequestId == anchor);
    }
}

using System.Security.Cryptography;
using System.Text;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>What is counted, logged and told of a recovery.</summary>
public sealed class CounterTests
{
    // The sources are redis, postgres and the edge's own memory.
    [Fact]
    public async Task Owners_are_counted_by_where_they_were_found()
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Continuity.Own("resp_1", "a");
        edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        using (var socket = await edge.ConnectAsync())
        {
            await socket.AskAsync(Asking.Frame(anchor: "resp_1"));
            await socket.AskAsync(Asking.Frame(anchor: "resp_1"));
            await socket.AskAsync(Asking.Frame(anchor: "resp_unknown"));
        }
        await edge.AskAsync(Asking.HttpBody(Asking.Frame(anchor: "resp_unknown")));
        edge.Continuity.OnResolve = _ => Task.FromResult<Proxy.Continuity.Contracts.ResolveResponse?>(null);
        await edge.AskAsync(Asking.HttpBody(Asking.Frame(anchor: "resp_2")));
        long Of(string surface, string source) => edge.Counters.Of("continuity.owner_resolution", ("surface", surface), ("source", source));
        Assert.Equal((1, 1, 1, 1), (Of("websocket", "redis"), Of("websocket", "edge"), Of("websocket", "unknown"), Of("http_stream", "unknown")));
        Assert.All(edge.Counters.All("continuity.owner_resolution"), one => Assert.Contains("outcome=", one, StringComparison.Ordinal));
        Assert.Equal(1, edge.Counters.Of("continuity.fail_closed", ("surface", "http_stream"), ("reason", "owner_lookup_failed")));
    }

    // A mask that nobody saw, because a replay followed, is none.
    [Theory]
    [InlineData("error")]
    [InlineData("failed")]
    public async Task A_failure_that_a_replay_cured_is_a_replay_and_no_fail_closed(string shape)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).Once().SaysNotFound(shape == "error" ? "code" : "failed"));
            edge.Sim.Script(rule => rule.Account("a").When(when => when with { Contains = "limited" }).Rejects(shape, 429, "usage_limit_reached"));
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "busy" }).Once().Rejects(shape, 503, "server_is_overloaded"));
        });
        using (var socket = await edge.ConnectAsync())
        {
            Told.Completed(await socket.AskAsync(Asking.Frame("lost", anchor: await socket.AnchorAsync())));
            Told.Completed(await socket.AskAsync(Asking.Frame("limited")));
            Told.Completed(await socket.AskAsync(Asking.Frame("busy")));
        }
        await edge.NothingIsLeftAsync(turns: 4, "a", "b");
        Assert.Empty(edge.Counters.All("continuity.fail_closed"));
        var replays = edge.Counters.All("continuity.replay");
        Assert.Equal(3, replays.Count);
        Assert.Equal(3, replays.Distinct().Count());
        Assert.Equal(3, edge.Counters.Of("continuity.replay", ("surface", "websocket")));
        Assert.All(replays, one => Assert.Matches("trigger=[a-z_]+.*outcome=[a-z_]+|outcome=[a-z_]+.*trigger=[a-z_]+", one));
        Assert.DoesNotContain(replays, one => one.Contains("ambiguous", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_the_client_is_told_is_counted_once_where_it_is_told()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).SaysNotFound()));
        edge.Continuity.Own("resp_lost", "a");
        edge.Continuity.Own("resp_away", "gone");
        using (var socket = await edge.ConnectAsync())
        {
            // Sent twice, told once.
            Told.Masked(await socket.AskAsync(Asking.Frame(anchor: "resp_lost")));
            Assert.Equal(1, edge.Counters.Of("continuity.fail_closed", ("surface", "websocket"), ("reason", "previous_response_not_found")));
            Assert.Equal(1, edge.Counters.Of("continuity.replay", ("surface", "websocket")));
            Told.Canonical((await socket.AskAsync(Asking.Frame(anchor: "resp_away")))[^1]);
            Assert.Single(edge.Counters.All("continuity.fail_closed"), one => one.Contains("reason=owner_", StringComparison.Ordinal));
        }
        await edge.NothingIsLeftAsync(turns: 2);
        Assert.Equal(2, edge.Counters.All("continuity.fail_closed").Count);
    }

    [Fact]
    public async Task The_answer_and_the_row_say_the_same()
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Continuity.Own("resp_1", "a");
        edge.Continuity.Own("resp_away", "gone");
        edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        using (var plain = await edge.PostAsync(RunningEdge.Body()))
        {
            Assert.Equal("owner=none; replays=0", Assert.Single(plain.Headers.GetValues("x-continuity")));
            await plain.Content.ReadAsStringAsync();
        }
        using (var owned = await edge.PostAsync(RunningEdge.Body(Asking.Anchor("resp_1"))))
        {
            Assert.Equal("owner=redis; replays=0", Assert.Single(owned.Headers.GetValues("x-continuity")));
            await owned.Content.ReadAsStringAsync();
        }
        using (var away = await edge.PostAsync(RunningEdge.Body(Asking.Anchor("resp_away"))))
        {
            Assert.Equal("owner=redis; replays=0; reason=owner_gone", Assert.Single(away.Headers.GetValues("x-continuity")));
        }
        await edge.NothingIsLeftAsync(turns: 3);
        Assert.Equal(["owner=none; replays=0", "owner=redis; replays=0", "owner=redis; replays=0; reason=owner_gone"],
            edge.Continuity.Rows.Select(row => row.Continuity).Order());
    }

    // Whoever reads the log can follow an id, not use it. Content and credentials are in no line.
    [Fact]
    public async Task No_raw_id_is_logged()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Accounts.Put(edge.Add("b") with { Token = "token-of-b" });
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "limited" }).Once().Errors(429, "usage_limit_reached", "said-by-upstream"));
            edge.Sim.Script(rule => rule.When(when => when with { FollowUp = true }).SaysNotFound());
            edge.Sim.Script(rule => rule.When(when => when with { Contains = "breaks" }).WithId("resp_minted_secret").Cuts(Position.Created));
        });
        edge.Continuity.Own("resp_secret", "a");
        edge.Continuity.Own("resp_away_secret", "gone");
        using (var socket = await edge.ConnectAsync(headers: [("thread-id", "thread_secret"), ("x-codex-turn-state", "state_secret")]))
        {
            foreach (var (input, anchor) in ((string, string?)[])[("limited", null), ("lost", "resp_secret"), ("away", "resp_away_secret"), ("breaks", null), ("private-words", null)])
            {
                await socket.AskAsync(Asking.Frame(input, anchor: anchor));
            }
        }
        await edge.AskAsync(Asking.HttpBody(Asking.Frame(anchor: "resp_secret")), ("session_id", "session_secret"));
        await edge.NothingIsLeftAsync(turns: 6, "a", "token-of-b");
        var log = string.Join('\n', edge.Log.Entries.Select(entry => entry.Text));
        foreach (var secret in (string[])["_secret", "private-words", "sk-1", "token-of-b", "said-by-upstream"])
        {
            Assert.DoesNotContain(secret, log, StringComparison.Ordinal);
        }
        var hash = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("resp_secret")))[..12];
        Assert.Contains(hash, log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_turn_that_upstream_never_saw_has_no_tokens_and_not_zero()
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Accounts.Refuses(RefusalReason.AtCapacity);
        using (await edge.PostAsync(RunningEdge.Body()))
        {
        }
        Assert.Empty(edge.Counters.Values(Counters.TokenUsage));

        edge.Accounts.OnAdmit = request => Task.FromResult<AdmissionResponse?>(edge.Accounts.Admit(request));
        using var answer = await edge.PostAsync(RunningEdge.Body());
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        Assert.Equal(2, edge.Counters.Values(Counters.TokenUsage).Count(tokens => tokens > 0));
    }
}

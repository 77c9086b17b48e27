using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Http;

/// <summary>Answers that are one body, and errors of ours.</summary>
public sealed class AnswerTests
{
    [Fact]
    public async Task A_json_answer_arrives_as_the_bytes_that_upstream_sent()
    {
        const string answer = "{ \"id\" : \"resp_1\", \"status\":\"completed\",\n \"x\":\"\\u00fc ü\", \"usage\":{\"input_tokens\":3,\"output_tokens\":4} }";
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Then(Status(200, answer, ("x-odd", "1")))));
        using var response = await edge.PostAsync(RunningEdge.Body(stream: false));
        Assert.Equal(Encoding.UTF8.GetBytes(answer), await response.Content.ReadAsByteArrayAsync());
        Assert.Equal("1", response.Headers.GetValues("x-odd").Single());
        Assert.Equal("resp_1", Assert.Single(edge.Continuity.Published).Id.Id);
        var row = await edge.RowAsync();
        Assert.Equal(("success", "http_json", 3L, 4L, 7L), (row.Status, row.Surface, row.InputTokens, row.OutputTokens, row.TotalTokens));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Theory]
    [InlineData("completed", "success")]
    [InlineData("in_progress", "success")]
    [InlineData("queued", "success")]
    [InlineData("incomplete", "incomplete")]
    [InlineData("failed", "failed")]
    [InlineData("cancelled", "cancelled")]
    public async Task The_row_says_how_a_json_answer_ended(string status, string logged)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Then(Status(200, $$"""{"id":"resp_1","status":"{{status}}"}"""))));
        await edge.TurnAsync(stream: false);
        Assert.Equal(logged, (await edge.RowAsync()).Status);
    }

    [Theory]
    [InlineData(400, true)]
    [InlineData(403, true)]
    [InlineData(429, true)]
    [InlineData(500, true)]
    [InlineData(529, false)]
    public async Task Errors_of_upstream_pass_unchanged(int status, bool stream)
    {
        const string body = "{\"error\": {\"message\":\"m\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"context_length_exceeded\"},\n\"more\":1}";
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Then(Status(status, body, ("retry-after", "7")))));
        using var response = await edge.PostAsync(RunningEdge.Body(stream: stream));
        Assert.Equal((status, body), ((int)response.StatusCode, await response.Content.ReadAsStringAsync()));
        Assert.Equal("7", response.Headers.GetValues("retry-after").Single());
        var row = await edge.RowAsync();
        Assert.Equal(("failed", status, "context_length_exceeded", null), (row.Status, row.HttpStatus, row.ErrorCode, row.RequestId));
        Assert.Empty(edge.Continuity.Published);
        Assert.Empty(edge.Accounts.Marks);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    // Passed on, the client would throw its own key away.
    [Fact]
    public async Task A_refused_credential_of_ours_is_not_the_clients_fault()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Refuses(401, "invalid_api_key")));
        var (status, body) = await edge.TurnAsync();
        Assert.Equal((502, "upstream_authentication_failed"), (status, Code(body)));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_answer_that_breaks_off_may_have_been_executed(bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Cuts()));
        using var response = await edge.PostAsync(RunningEdge.Body(stream: stream));
        Assert.Equal((502, "stream_incomplete"), ((int)response.StatusCode, Code(await response.Content.ReadAsStringAsync())));
        Assert.Equal("false", response.Headers.GetValues("x-should-retry").Single());
        Assert.Equal("cut", (await edge.RowAsync()).Status);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task An_account_that_cannot_be_reached_was_sent_nothing()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Add("a", baseUrl: "http://127.0.0.1:1/v1"));
        using var response = await edge.PostAsync(RunningEdge.Body());
        Assert.Equal((502, "upstream_unavailable"), ((int)response.StatusCode, Code(await response.Content.ReadAsStringAsync())));
        Assert.False(response.Headers.Contains("x-should-retry"));
        Assert.Equal("refused", (await edge.RowAsync()).Status);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task A_client_that_leaves_while_its_turn_waits_for_a_slot_holds_none()
    {
        var answer = new TaskCompletionSource<AdmissionResponse?>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var edge = await RunningEdge.StartAsync(edge => edge.Accounts.OnAdmit = request =>
        {
            edge.Accounts.Held[request.TurnId] = "leased, but never told";
            return answer.Task;
        });
        using var leaving = new CancellationTokenSource();
        var turn = edge.PostAsync(RunningEdge.Body(), cancellationToken: leaving.Token);
        await Eventually.TrueAsync(() => edge.Accounts.Slots == 1);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => turn);
        await edge.NothingIsLeftAsync(turns: 1);
        Assert.Equal("cancelled", (await edge.RowAsync()).Status);
        answer.SetResult(null);
    }

    [Fact]
    public async Task A_client_that_leaves_a_turn_that_is_not_streamed_takes_it_along()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls()));
        using var leaving = new CancellationTokenSource();
        var turn = edge.PostAsync(RunningEdge.Body(stream: false), cancellationToken: leaving.Token);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => turn);
        await edge.Sim.WhenAsync(sim => sim.Recorded.Turns.Single().ClientAborted);
        Assert.Equal(("cancelled", 499), ((await edge.RowAsync()).Status, (await edge.RowAsync()).HttpStatus));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Theory]
    [InlineData(nameof(RefusalReason.UnknownKey), 401, "invalid_api_key")]
    [InlineData(nameof(RefusalReason.ModelNotAllowed), 403, "model_not_allowed")]
    [InlineData(nameof(RefusalReason.NoAccounts), 503, "no_accounts", "x-should-retry: false")]
    [InlineData(nameof(RefusalReason.ModelNotServed), 404, "model_not_found")]
    [InlineData(nameof(RefusalReason.AllCooling), 429, "usage_limit_reached", "x-should-retry: false")]
    [InlineData(nameof(RefusalReason.AtCapacity), 429, "concurrency_limit_reached", "Retry-After: 1")]
    [InlineData(nameof(RefusalReason.Recovering), 503, "admission_unavailable", "Retry-After: 1")]
    public async Task A_refused_turn_is_told_why_and_logged(string reason, int status, string code, string? header = null)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Accounts.Refuses(Enum.Parse<RefusalReason>(reason)));
        using var response = await edge.PostAsync(RunningEdge.Body());
        Assert.Equal((status, code), ((int)response.StatusCode, Code(await response.Content.ReadAsStringAsync())));
        if (header?.Split(": ") is [var name, var value])
        {
            Assert.Equal(value, response.Headers.GetValues(name).Single());
        }
        Assert.Equal(("refused", null, code), ((await edge.RowAsync()).Status, (await edge.RowAsync()).AccountId, (await edge.RowAsync()).ErrorCode));
        Assert.Empty(edge.Sim.Recorded.All);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task An_exhausted_pool_tells_when_it_is_back()
    {
        var until = TimeProvider.System.GetUtcNow().AddSeconds(20);
        await using var edge = await RunningEdge.StartAsync(edge => edge.Accounts.Refuses(RefusalReason.AllCooling, until));
        using var response = await edge.PostAsync(RunningEdge.Body());
        Assert.InRange(response.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 10, 20);
        var error = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["error"]!;
        Assert.Equal((until.ToUnixTimeSeconds(), "usage_limit_reached"), ((long)error["resets_at"]!, (string?)error["type"]));
    }

    [Theory]
    [InlineData(nameof(RefusalReason.OwnerCooling), 502, "upstream_unavailable")]
    [InlineData(nameof(RefusalReason.OwnerGone), 400, "previous_response_not_found")]
    public async Task An_owner_that_cannot_serve_is_never_replaced(string reason, int status, string code)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Continuity.Own("resp_1", "b");
            edge.Accounts.Refuses(Enum.Parse<RefusalReason>(reason));
        });
        var (answered, body) = await edge.TurnAsync(",\"previous_response_id\":\"resp_1\"");
        Assert.Equal((status, code), (answered, Code(body)));
        Assert.Equal("dom-b", Assert.Single(edge.Accounts.Asked).Domain);
        Assert.Empty(edge.Sim.Recorded.All);
    }

    [Fact]
    public async Task An_accounts_service_that_is_away_is_a_passing_error()
    {
        await using var edge = await RunningEdge.StartAsync();
        await edge.TurnAsync();
        edge.Accounts.IsAway = true;
        var (status, body) = await edge.TurnAsync();
        Assert.Equal((503, "service_unavailable"), (status, Code(body)));
        edge.Accounts.IsAway = false;
    }

    [Fact]
    public async Task A_follow_up_goes_to_the_account_that_owns_its_anchor()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Continuity.Own("resp_1", "b");
            edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        });
        using var response = await edge.PostAsync(RunningEdge.Body(",\"previous_response_id\":\"resp_1\""));
        Assert.True(response.IsSuccessStatusCode);
        Assert.Equal("owner=redis; replays=0", response.Headers.GetValues("x-continuity").Single());
        Assert.Equal("b", Assert.Single(edge.Sim.Recorded.Turns).Account);
        Assert.Equal(("dom-b", "acc-b"), (Assert.Single(edge.Accounts.Asked).Domain, Assert.Single(edge.Accounts.Asked).PreferredAccountId));
    }

    [Fact]
    public async Task What_this_edge_has_seen_minted_needs_no_lookup()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.OnPublish = _ => Task.FromResult(503), "Edge:PublicationWaitMs=0");
        var id = (string?)Sse.Read((await edge.TurnAsync()).Body)[0]["response"]!["id"];
        Assert.Equal(200, (await edge.TurnAsync($",\"previous_response_id\":\"{id}\"")).Status);
        Assert.Empty(edge.Continuity.Resolved);
        Assert.Equal("dom-a", edge.Accounts.Asked.Last().Domain);
        using var other = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = new StringContent(RunningEdge.Body($",\"previous_response_id\":\"{id}\""), Encoding.UTF8, "application/json") };
        other.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "sk-2");
        using var foreign = await edge.Http.SendAsync(other);
        Assert.Equal("previous_response_not_found", Code(await foreign.Content.ReadAsStringAsync()));
        edge.Continuity.OnPublish = _ => Task.FromResult(204);
    }

    [Fact]
    public async Task An_owner_that_cannot_be_looked_up_is_not_guessed()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.OnResolve = _ => Task.FromResult<Proxy.Continuity.Contracts.ResolveResponse?>(null));
        var (status, body) = await edge.TurnAsync(",\"previous_response_id\":\"resp_1\"");
        Assert.Equal((502, "upstream_unavailable"), (status, Code(body)));
        Assert.Empty(edge.Accounts.Asked);
        // A preference that cannot be asked for is no reason to refuse.
        Assert.Equal(200, (await edge.TurnAsync(",\"prompt_cache_key\":\"k\"")).Status);
        await edge.NothingIsLeftAsync(turns: 2);
    }

    [Fact]
    public async Task A_scope_prefers_its_account_and_demands_nothing()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Continuity.Bind("cache:k", "b");
        });
        await edge.TurnAsync(",\"prompt_cache_key\":\"k\"");
        var asked = Assert.Single(edge.Accounts.Asked);
        Assert.Equal((null, "acc-b"), (asked.Domain, asked.PreferredAccountId));
        Assert.Equal("b", Assert.Single(edge.Sim.Recorded.Turns).Account);
    }

    [Fact]
    public async Task Every_one_of_many_files_is_checked()
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Continuity.OnResolve = request => Task.FromResult<ResolveResponse?>(request.Ids.Count > ContinuityRoutes.MaxIds ? null : new ResolveResponse(
            [.. request.Ids.Select(id => new ResolvedOwner(id, id.Id == "f149" ? OwnerOutcome.Foreign : OwnerOutcome.Unknown, null, null))], null));
        var files = string.Join(',', Enumerable.Range(0, 150).Select(number => $$"""{"file_id":"f{{number}}"}"""));
        using var response = await edge.PostAsync($$"""{"model":"m","input":[{{files}}]}""");
        Assert.Equal(404, (int)response.StatusCode);
        Assert.Contains("f149", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(edge.Sim.Recorded.Turns);
    }

    [Fact]
    public async Task A_date_to_come_back_at_is_believed()
    {
        var until = TimeProvider.System.GetUtcNow() + TimeSpan.FromMinutes(7);
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Then(
            Status(429, """{"error":{"message":"m","type":"usage_limit_reached"} }""", ("retry-after", until.ToString("r"))))));
        await edge.TurnAsync();
        await Eventually.TrueAsync(() => !edge.Accounts.Marks.IsEmpty);
        Assert.InRange((until - Assert.Single(edge.Accounts.Marks).Until).TotalSeconds, -2, 2);
    }

    [Theory]
    [InlineData("usage_limit_reached", true)]
    [InlineData("insufficient_quota", false)]
    [InlineData("server_is_overloaded", null)]
    public async Task Quota_codes_mark_the_account_with_upstreams_own_reset(string code, bool? asStatus)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => _ = asStatus == true
            ? rule.Then(Status(429, $$"""{"error":{"message":"m","type":"{{code}}"} }""", ("retry-after", "5")))
            : rule.Fails(code, after: Position.Created)));
        var before = TimeProvider.System.GetUtcNow();
        await edge.TurnAsync();
        await edge.NothingIsLeftAsync(turns: 1);
        if (asStatus is null)
        {
            Assert.Empty(edge.Accounts.Marks);
            return;
        }
        await Eventually.TrueAsync(() => !edge.Accounts.Marks.IsEmpty);
        var mark = Assert.Single(edge.Accounts.Marks);
        Assert.Equal(("acc-a", code), (mark.AccountId, mark.Reason));
        Assert.InRange((mark.Until - before).TotalSeconds, 1, asStatus == true ? 10 : 65);
    }

    internal static string? Code(string body) => (string?)JsonNode.Parse(body)!["error"]!["code"];

    private static StatusStep Status(int status, string body, params (string Name, string Value)[] headers) =>
        new(status) { Body = JsonDocument.Parse(body).RootElement.Clone(), Headers = headers.ToDictionary(header => header.Name, header => header.Value) };
}

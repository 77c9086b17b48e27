using System.Diagnostics;
using System.Net;
using Simulator.Scripts;

namespace Simulator.Tests;

public sealed class FaultTests : IAsyncLifetime
{
    private static readonly object Streamed = new { model = "m", input = "hello", stream = true };
    private SimulatorServer _sim = null!;
    private Client _client = null!;

    public async Task InitializeAsync() => _client = new Client(_sim = await SimulatorServer.StartAsync());

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _sim.DisposeAsync();
    }

    [Fact]
    public async Task A_rule_applies_to_its_turn_and_so_often()
    {
        _sim.Script(rule => rule.Once().Refuses(401, "invalid_api_key"));
        _sim.Script(rule => rule.Account("tok1").Turn(3).Refuses(429, "rate_limit_exceeded", "Slow down.", ("retry-after", "7")));

        using var first = await _client.PostAsync(Streamed);
        using var second = await _client.PostAsync(Streamed);
        using var third = await _client.PostAsync(Streamed);
        using var fourth = await _client.PostAsync(Streamed);

        Assert.Equal([401, 200, 429, 200], new[] { first, second, third, fourth }.Select(r => (int)r.StatusCode));
        Assert.Equal("7", third.Headers.GetValues("retry-after").Single());
    }

    [Fact]
    public async Task A_failure_comes_where_the_rule_says()
    {
        _sim.Script(rule => rule.Once().Fails("server_error"));
        _sim.Script(rule => rule.Once().Fails("rate_limit_exceeded", "Try again in 1.5s", Position.Created));
        _sim.Script(rule => rule.Once().Then(new FailedStep { Anonymous = true, Code = null, After = Position.Delta(2) }));

        var before = Client.Events(await _client.StreamAsync(Streamed));
        var created = Client.Events(await _client.StreamAsync(Streamed));
        var later = Client.Events(await _client.StreamAsync(Streamed));

        Assert.Equal(["response.failed"], before.Select(e => e.Type()));
        Assert.Equal(["response.created", "response.failed"], created.Select(e => e.Type()));
        Assert.Equal("rate_limit_exceeded", created[1].Text("response.error.code"));
        Assert.Equal(2, later.Count(e => e.Type() == "response.output_text.delta"));
        Assert.Null(later[^1].Text("response.id"));
        Assert.Null(later[^1].Text("response.error.code"));
    }

    [Fact]
    public async Task A_cut_resets_the_connection_after_what_was_sent()
    {
        _sim.Script(rule => rule.Once().Cuts());
        _sim.Script(rule => rule.Once().Cuts(Position.Headers));
        _sim.Script(rule => rule.Once().Cuts(Position.Delta(3)));

        Assert.Equal(("", true), await _client.ReadToCutAsync(Streamed));
        Assert.Equal(("", true), await _client.ReadToCutAsync(Streamed));
        var (text, cut) = await _client.ReadToCutAsync(Streamed);
        Assert.True(cut);
        Assert.Equal(3, text.Split("event: response.output_text.delta").Length - 1);
        Assert.All(_sim.Recorded.Turns, exchange => Assert.False(exchange.ClientAborted));
    }

    [Fact]
    public async Task A_body_can_end_in_good_order_without_a_terminal_event()
    {
        _sim.Script(rule => rule.Ends(Position.Created));
        var (text, cut) = await _client.ReadToCutAsync(Streamed);
        Assert.False(cut);
        Assert.Equal(["response.created"], Client.Events(text).Select(e => e.Type()));
    }

    [Fact]
    public async Task A_stall_lasts_until_released_and_counts_as_a_turn_in_flight()
    {
        _sim.Script(rule => rule.Stalls());
        var turns = Enumerable.Range(0, 3).Select(_ => _client.StreamAsync(Streamed)).ToList();
        await Json.EventuallyAsync(() => _sim.Stalled == 3);
        Assert.Equal((3, 3), (_sim.Account("tok1").InFlight, _sim.Account("tok1").Peak));
        _sim.Release();
        Assert.All(await Task.WhenAll(turns), text => Assert.Contains("response.completed", text, StringComparison.Ordinal));
        await Json.EventuallyAsync(() => _sim.Account("tok1").InFlight == 0);
        Assert.Equal(3, _sim.Account("tok1").Peak);
    }

    [Fact]
    public async Task A_client_that_leaves_is_noticed()
    {
        _sim.Script(rule => rule.Stalls(Position.Created));
        using (var response = await _client.PostAsync(Streamed, stream: true))
        {
            await Json.EventuallyAsync(() => _sim.Stalled == 1);
        }

        await Json.EventuallyAsync(() => _sim.Recorded.Turns.Single() is { EndedAt: not null, ClientAborted: true });
    }

    [Fact]
    public async Task A_kill_resets_what_is_in_flight_on_the_account_only()
    {
        using var other = new Client(_sim, "tok2");
        _sim.Script(rule => rule.Stalls(Position.Created));
        var killed = _client.ReadToCutAsync(Streamed);
        var spared = other.ReadToCutAsync(Streamed);
        await Json.EventuallyAsync(() => _sim.Stalled == 2);
        _sim.Kill("tok1");
        Assert.True((await killed).Cut);
        _sim.Release();
        Assert.False((await spared).Cut);
    }

    [Fact]
    public async Task Foreign_events_comments_and_raw_lines_are_inserted()
    {
        _sim.Script(rule => rule
            .Pings()
            .Inserts("""{"type":"keepalive"}""", Position.Created, numbered: true)
            .Inserts("""{"type":"codex.note","of":"{response_id}"}""", Position.Delta(1))
            .Writes(": odd\r\ndata: {\"type\":\"x.raw\"}\r\n\r\n", Position.Delta(2)));

        var text = await _client.StreamAsync(Streamed);
        var events = Client.Events(text.ReplaceLineEndings("\n"));

        Assert.StartsWith(": ping\n\n", text, StringComparison.Ordinal);
        Assert.Equal("1", events.Single(e => e.Type() == "keepalive").Text("sequence_number"));
        Assert.Equal(events[^1].Text("response.id"), events.Single(e => e.Type() == "codex.note").Text("of"));
        Assert.Contains(": odd\r\ndata: {\"type\":\"x.raw\"}\r\n\r\n", text, StringComparison.Ordinal);
        Assert.Equal("response.completed", events[^1].Type());
    }

    [Fact]
    public async Task Answers_take_shape_and_pace()
    {
        _sim.Script(rule => rule.Once().Deltas(16, 32).Paced(TimeSpan.FromMilliseconds(2)).Answer(answer => answer with
        {
            Indented = true,
            ResponseId = "resp_chosen",
            Queued = true,
            TurnState = "ts_1",
            CodexRateLimit = 42,
            InputTokens = 1000,
            OutputTokens = 7,
            Headers = new Dictionary<string, string> { ["x-models-etag"] = "e1", ["x-reasoning-included"] = "true" },
        }));

        var started = Stopwatch.GetTimestamp();
        using var response = await _client.PostAsync(Streamed);
        var events = Client.Events(await response.Content.ReadAsStringAsync());

        Assert.True(Stopwatch.GetElapsedTime(started) > TimeSpan.FromMilliseconds(32));
        Assert.Equal(Enumerable.Repeat(32, 16), events.Where(e => e.Type() == "response.output_text.delta").Select(e => e.Text("delta")!.Length));
        Assert.Equal(("resp_chosen", "1007"), (events[^1].Text("response.id"), events[^1].Text("response.usage.total_tokens")));
        Assert.Equal("response.queued", events[1].Type());
        Assert.Equal(["ts_1", "42", "e1"], new[] { "x-codex-turn-state", "x-codex-primary-used-percent", "x-models-etag" }.Select(h => response.Headers.GetValues(h).Single()));
    }

    [Fact]
    public async Task Other_requests_can_be_refused_by_path()
    {
        _sim.Script(rule => rule.OnRequest("/models").Once().Refuses(503, "server_is_overloaded"));
        using var refused = await _client.Http.GetAsync("v1/models");
        using var served = await _client.Http.GetAsync("v1/models");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK), (refused.StatusCode, served.StatusCode));
    }

    [Fact]
    public async Task A_response_that_is_not_streamed_can_fail_or_stay_incomplete()
    {
        _sim.Script(rule => rule.Once().Fails("server_error", "Broken."));
        _sim.Script(rule => rule.Once().StopsIncomplete("max_output_tokens", Position.Output));
        var failed = await _client.AskAsync("x");
        var incomplete = await _client.AskAsync("x");
        Assert.Equal(("failed", "Broken."), (failed.Text("status"), failed.Text("error.message")));
        Assert.Equal(("incomplete", "max_output_tokens"), (incomplete.Text("status"), incomplete.Text("incomplete_details.reason")));
    }
}

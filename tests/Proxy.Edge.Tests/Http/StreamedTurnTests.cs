using System.Net.Http.Headers;
using System.Text;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Http;

public sealed class StreamedTurnTests
{
    private const string Created = """data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress"}}""";
    private const string Completed = """data: {"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","status":"completed","usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}}""";

    [Theory]
    [InlineData($": comment\n\nevent: response.created\n{Created}\n\nid: 7\nretry: 5\n\n: ping\n\n{Completed}\n\ndata: [DONE]\n\n")]
    [InlineData($"{Created}\r\n\r\nevent: response.completed\r\n{Completed}\r\n\r\n")]
    [InlineData($"{Created}\n\ndata: {{\"type\":\"response.completed\",\ndata:   \"sequence_number\":9,\ndata:\"response\":{{\"id\":\"resp_1\"}}}}\n\n")]
    [InlineData($"{Created}\n\ndata: not json\n\ndata: {{\"type\":\"unknown.ü\",\"x\":\"\\ud800\"}}\n\ndata\n\n\n\n{Completed}\n\n: trailing")]
    // The last event without its empty line: some servers end like that.
    [InlineData($"{Created}\n\n{Completed}\n")]
    public async Task Events_arrive_as_the_bytes_that_upstream_sent(string sse)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Writes(sse, Position.Headers).Ends(Position.Headers)));
        using var response = await edge.PostAsync(RunningEdge.Body());
        Assert.Equal(Encoding.UTF8.GetBytes(sse), await response.Content.ReadAsByteArrayAsync());
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("resp_1", Assert.Single(edge.Continuity.Published).Id.Id);
        var row = await edge.RowAsync();
        Assert.Equal(("success", "resp_1", 200), (row.Status, row.RequestId, row.HttpStatus));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task The_request_arrives_as_the_bytes_that_the_client_sent()
    {
        const string body = "{ \"model\" :\t\"gpt-5.6\",\r\n \"stream\":true, \"input\":\"\\u00fc ü 😀\", \"unknown\":[1e5,{\"a\":null}] }  ";
        await using var edge = await RunningEdge.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/backend-api/codex/responses?beta=true&x=%20y") { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse("application/json; charset=utf-8");
        using var response = await edge.Http.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode);
        var seen = Assert.Single(edge.Sim.Recorded.Turns);
        Assert.Equal(Encoding.UTF8.GetBytes(body), seen.RawBody.ToArray());
        Assert.Equal(("/v1/responses", "?beta=true&x=%20y", "application/json; charset=utf-8"), (seen.Path, seen.Query, seen.Header("content-type")));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    [InlineData("br")]
    [InlineData("zstd")]
    public async Task A_compressed_body_goes_up_decompressed(string encoding)
    {
        await using var edge = await RunningEdge.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = new ByteArrayContent(Compressed.With(encoding, RunningEdge.Body())) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Content.Headers.ContentEncoding.Add(encoding);
        using var response = await edge.Http.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode);
        var seen = Assert.Single(edge.Sim.Recorded.Turns);
        Assert.Equal(RunningEdge.Body(), Encoding.UTF8.GetString(seen.RawBody.Span));
        Assert.Null(seen.Header("content-encoding"));
    }

    [Fact]
    public async Task An_event_leaves_as_soon_as_it_has_come()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Delta(1))));
        using var response = await edge.PostAsync(RunningEdge.Body());
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        await ReadUntilAsync(reader, "delta");
        Assert.Equal(1, edge.Sim.Stalled);
        edge.Sim.Release();
        await ReadUntilAsync(reader, "response.completed");
    }

    [Fact]
    public async Task The_owner_is_acknowledged_before_the_terminal_event_leaves()
    {
        var publication = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.OnPublish = _ => publication.Task, "Edge:PublicationWaitMs=10000");
        using var response = await edge.PostAsync(RunningEdge.Body(), headers: ("thread-id", "t1"));
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        await ReadUntilAsync(reader, "response.output_item.done");
        var terminal = ReadUntilAsync(reader, "response.completed");
        await edge.Sim.WhenAsync(sim => sim.Account("a").InFlight == 0);
        Assert.False(terminal.IsCompleted);
        Assert.Empty(edge.Continuity.Rows);

        publication.SetResult(204);
        await terminal;
        var published = edge.Continuity.Published.First();
        Assert.Single(edge.Continuity.Published.Select(one => one.Id).Distinct());
        Assert.Equal(("key-1", "acc-a", "dom-a", "t1", true), (published.Owner.KeyId, published.Owner.AccountId, published.Owner.Domain, published.Owner.SessionId, published.Owner.Stored));
        Assert.Equal((OwnedKinds.Response, "thread:t1"), (published.Id.Kind, published.Scope));
        Assert.Equal(0, edge.LatePublications);
    }

    [Fact]
    public async Task A_publication_that_hangs_or_fails_costs_a_bounded_wait_and_is_made_up_for()
    {
        var tries = 0;
        var hang = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.OnPublish = _ => Interlocked.Increment(ref tries) switch
        {
            1 => hang.Task,
            2 => Task.FromResult(503),
            _ => Task.FromResult(204),
        }, "Edge:PublicationWaitMs=50");
        Assert.Contains("response.completed", (await edge.TurnAsync()).Body, StringComparison.Ordinal);
        Assert.Equal(1, edge.LatePublications);
        Assert.Empty(edge.Continuity.Published);
        hang.SetResult(503);
        await Eventually.TrueAsync(() => edge.Continuity.Published.Count == 1);
        Assert.Equal((await edge.RowAsync()).RequestId, edge.Continuity.Published.Single().Id.Id);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task A_publication_that_is_never_taken_does_not_hold_up_the_others()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.OnPublish = request => Task.FromResult(
            request.Scope == "thread:poison" ? 400 : edge.LatePublications < 2 ? 503 : 204), "Edge:PublicationWaitMs=50");
        using var poison = await edge.PostAsync(RunningEdge.Body(), headers: ("thread-id", "poison"));
        await poison.Content.ReadAsStringAsync();
        await edge.TurnAsync();
        await edge.TurnAsync();
        await Eventually.TrueAsync(() => edge.Continuity.Published.Count == 2);
    }

    [Fact]
    public async Task The_row_is_on_disk_before_the_terminal_event_leaves()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.OnIntake = _ => Task.FromResult(503));
        using var response = await edge.PostAsync(RunningEdge.Body());
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        await ReadUntilAsync(reader, "response.output_item.done");
        await ReadUntilAsync(reader, "event: response.completed");
        Assert.Contains("\"ended\":", edge.Spooled(), StringComparison.Ordinal);
        Assert.Contains("\"status\":\"success\"", edge.Spooled(), StringComparison.Ordinal);
        edge.Continuity.OnIntake = _ => Task.FromResult(200);
    }

    [Fact]
    public async Task A_turn_is_on_disk_before_it_is_sent()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls()));
        var response = edge.PostAsync(RunningEdge.Body());
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        Assert.Contains("\"began\":", edge.Spooled(), StringComparison.Ordinal);
        Assert.DoesNotContain("\"ended\":", edge.Spooled(), StringComparison.Ordinal);
        edge.Sim.Release();
        using var answer = await response;
    }

    // A broken stream ends with response.failed and the next sequence number, then the body ends: all clients understand that.
    [Theory]
    [InlineData("cut")]
    [InlineData("eof")]
    [InlineData("half an event")]
    public async Task A_stream_that_breaks_ends_as_failed(string how)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => _ = how switch
        {
            "cut" => rule.Cuts(Position.Delta(2)),
            "eof" => rule.Ends(Position.Delta(2)),
            _ => rule.Writes("event: response.output_text.delta\ndata: {\"type\":\"resp", Position.Delta(2)).Ends(Position.Delta(2)),
        }));
        var (status, body) = await edge.TurnAsync();
        var events = Sse.Read(body);
        Assert.Equal(200, status);
        Assert.All(events, one => Assert.NotNull(one["type"]));
        var failed = events[^1];
        Assert.Equal(("response.failed", "stream_incomplete"), ((string?)failed["type"], (string?)failed["response"]!["error"]!["code"]));
        Assert.Equal((long)events[^2]["sequence_number"]! + 1, (long)failed["sequence_number"]!);
        Assert.Equal((string?)events[0]["response"]!["id"], (string?)failed["response"]!["id"]);
        var row = await edge.RowAsync();
        Assert.Equal(("cut", "stream_incomplete", true), (row.Status, row.ErrorCode, row.UsageEstimated));
        Assert.Equal(2, row.OutputTokens);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task A_silent_stream_is_given_up()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Delta(1))), "Edge:IdleSeconds=1");
        var events = Sse.Read((await edge.TurnAsync()).Body);
        Assert.Equal("stream_idle_timeout", (string?)events[^1]["response"]!["error"]!["code"]);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task A_stream_that_never_begins_is_an_error_with_a_status()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls()), "Edge:CreatedSeconds=1", "Edge:KeepAliveSeconds=0.5");
        var (status, body) = await edge.TurnAsync();
        Assert.Equal(200, status);
        Assert.Contains("upstream_request_timeout", body, StringComparison.Ordinal);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task A_turn_has_an_end_however_lively_it_is()
    {
        await using var edge = await RunningEdge.StartAsync(
            edge => edge.Sim.Script(rule => rule.Deltas(100_000, 4).Paced(TimeSpan.FromMilliseconds(5))), "Edge:KeepAliveSeconds=0.5", "Edge:ConnectSeconds=1", "Edge:CreatedSeconds=1", "Edge:IdleSeconds=1", "Edge:TurnSeconds=1");
        var events = Sse.Read((await edge.TurnAsync()).Body);
        Assert.Equal("upstream_request_timeout", (string?)events[^1]["response"]!["error"]!["code"]);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task An_event_that_is_too_large_ends_the_turn()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Writes(new string('x', 200_000), Position.Created)), "Edge:MaxEventBytes=65536");
        var events = Sse.Read((await edge.TurnAsync()).Body);
        Assert.Equal("stream_event_too_large", (string?)events[^1]["response"]!["error"]!["code"]);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task A_large_event_passes()
    {
        var large = $"data: {{\"type\":\"response.image_generation_call.partial_image\",\"partial_image_b64\":\"{new string('x', 16 << 20)}\"}}\n\n";
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Writes(large, Position.Created)));
        var (_, body) = await edge.TurnAsync();
        Assert.Contains(large, body, StringComparison.Ordinal);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Theory]
    [InlineData("start")]
    [InlineData("delta:1")]
    public async Task A_client_that_leaves_takes_its_turn_with_it(string after)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Parse(after))));
        using var leaving = new CancellationTokenSource();
        var turn = Task.Run(async () =>
        {
            using var response = await edge.PostAsync(RunningEdge.Body(), cancellationToken: leaving.Token);
            await response.Content.ReadAsStringAsync(leaving.Token);
        });
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => turn);
        await edge.Sim.WhenAsync(sim => sim.Recorded.Turns.Single().ClientAborted);
        Assert.Equal("cancelled", (await edge.RowAsync()).Status);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task A_turn_whose_slot_is_lost_is_stopped()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Delta(1))));
        var turn = edge.TurnAsync();
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        edge.Accounts.Lost[edge.Accounts.Held.Keys.Single()] = true;
        var events = Sse.Read((await turn).Body);
        Assert.Equal(("response.failed", "stream_incomplete"), ((string?)events[^1]["type"], (string?)events[^1]["response"]!["error"]!["code"]));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task A_renewal_that_makes_no_sense_stops_neither_the_turn_nor_the_edge()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Delta(1))));
        edge.Accounts.RenewAnswer = "not json";
        var turn = edge.TurnAsync();
        await Eventually.TrueAsync(() => edge.Accounts.Renewals >= 2);
        edge.Sim.Release();
        Assert.Contains("response.completed", (await turn).Body, StringComparison.Ordinal);
    }

    private static async Task<string> ReadUntilAsync(StreamReader reader, string text)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.Contains(text, StringComparison.Ordinal))
            {
                return line;
            }
        }
        throw new IOException($"The stream ended without {text}.");
    }
}

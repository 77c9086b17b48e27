using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>What a client gets of what upstream says on a socket.</summary>
public sealed class AnswerTests
{
    [Fact]
    public async Task Every_frame_is_an_event_with_its_bytes()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Deltas(20).Answer(answer => answer with { Queued = true, Reasoning = true })));
        var answer = await edge.CarryAsync();
        answer.Completed();
        var sent = edge.Sim.Recorded.Sockets.Single().Sent.ToList();
        Assert.True(sent.Count > 20);
        Assert.Equal(string.Concat(sent.Select(frame => $"event: {frame.Type}\ndata: {frame.Text}\n\n")), answer.Body);
        Assert.StartsWith("text/event-stream", answer.Header("content-type"), StringComparison.Ordinal);
        await edge.QuietAsync(turns: 1);
    }

    // A frame may be of several lines; an event's data is then, too (WHATWG HTML 9.2.6).
    [Fact]
    public async Task A_frame_of_several_lines_is_one_event()
    {
        const string failed = "{\n  \"type\": \"response.failed\",\n  \"sequence_number\": 9,\n  \"response\": {\"id\":\"{response_id}\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}\n}";
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Writes(failed, Position.Delta(1)).Leaves(Position.Delta(1))));
        var answer = await edge.CarryAsync();
        Assert.Equal(("response.failed", "server_error", answer.Events[0].Id()), (answer.Events[^1].Type(), answer.Events[^1].Code(), answer.Id));
        Assert.Equal(edge.Sim.Recorded.Sockets.Single().Sent.Select(frame => frame.Type), answer.Events.Select(one => one.Type()));
        await edge.QuietAsync(turns: 1);
    }

    [Fact]
    public async Task Events_come_as_soon_as_they_are_there()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Delta(1))));
        using var response = await edge.PostAsync(Bridged.Body(), headers: Bridged.Thread);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var lines = new List<string?>();
        while (lines.LastOrDefault()?.Contains(".delta", StringComparison.Ordinal) != true)
        {
            lines.Add(await reader.ReadLineAsync());
        }
        Assert.Equal(1, edge.Sim.Stalled);
        edge.Sim.Release();
        Assert.Contains("response.completed", await reader.ReadToEndAsync(), StringComparison.Ordinal);
        await edge.QuietAsync(turns: 1);
    }

    // They speak to the program at the other end of the socket, and are not known over HTTP.
    [Theory]
    [InlineData("{\"type\":\"codex.rate_limits\",\"plan_type\":\"pro\"}")]
    [InlineData("{\"type\":\"codex.other\",\"sequence_number\":1}")]
    [InlineData("{\"type\":\"responsesapi.websocket_timing\",\"timing\":{}}")]
    [InlineData("not json")]
    [InlineData("[]")]
    public async Task What_is_no_event_of_the_response_stays_here(string text)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Writes(text).Writes(text, Position.Created).Writes(text, Position.Delta(1))));
        var answer = await edge.CarryAsync();
        answer.Completed();
        Assert.DoesNotContain($"data: {text}\n", answer.Body, StringComparison.Ordinal);
        (await edge.CarryAsync(stream: false)).Completed();
        await edge.QuietAsync(turns: 2);
    }

    [Fact]
    public async Task What_comes_between_two_turns_belongs_to_neither()
    {
        await using var edge = await RunningEdge.StartAsync();
        await edge.LocalAnchorAsync();
        var socket = edge.Sim.Recorded.Sockets.Single();
        await edge.Sim.SendToSocketsAsync("{\"type\":\"response.output_text.delta\",\"sequence_number\":4,\"delta\":\"stray\"}");
        await edge.Sim.SendToSocketsAsync("{\"type\":\"response.completed\",\"response\":{\"id\":\"resp_stray\",\"status\":\"completed\"}}");
        await Eventually.TrueAsync(() => socket.Sent.Any(frame => frame.Text.Contains("resp_stray", StringComparison.Ordinal)));
        var answer = await edge.CarryAsync();
        answer.Completed();
        Assert.DoesNotContain("stray", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(edge.Continuity.Published, published => published.Id.Id == "resp_stray");
        await edge.QuietAsync(turns: 2);
    }

    [Theory]
    [InlineData("completed")]
    [InlineData("incomplete")]
    public async Task Without_a_stream_the_answer_is_the_response_byte_for_byte(string end)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            if (end == "incomplete")
            {
                edge.Sim.Script(rule => rule.StopsIncomplete("max_output_tokens", Position.Delta(1)));
            }
        });
        var answer = await edge.CarryAsync(stream: false);
        Assert.Equal(200, answer.Status);
        var terminal = edge.Sim.Recorded.Sockets.Single().Sent.Last().Text;
        Assert.Equal(end, (string?)JsonNode.Parse(answer.Body)!["status"]);
        Assert.EndsWith($"\"response\":{answer.Body}}}", terminal, StringComparison.Ordinal);
        Assert.StartsWith("application/json", answer.Header("content-type"), StringComparison.Ordinal);
        Assert.Equal(end == "completed" ? "success" : "incomplete", Assert.Single(await edge.QuietAsync(turns: 1)).Status);
    }

    // Codex reads these; what else upstream says of its connection is none of the client's.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Three_headers_of_the_handshake_go_on(bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnUpgrade().Answer(answer => answer with
        {
            Headers = new Dictionary<string, string>
            {
                ["x-codex-turn-state"] = "ts-1",
                ["x-models-etag"] = "etag-1",
                ["x-reasoning-included"] = "true",
                ["x-request-id"] = "upstreams-own",
                ["x-else"] = "else",
            },
        })));
        foreach (var _ in (int[])[1, 2])
        {
            var answer = await edge.CarryAsync(stream: stream);
            answer.Completed();
            Assert.Equal(("ts-1", "etag-1", "true", null), (answer.Header("x-codex-turn-state"), answer.Header("x-models-etag"), answer.Header("x-reasoning-included"), answer.Header("x-else")));
            Assert.Matches("^[0-9a-f]{32}$", answer.Header("x-request-id"));
            Assert.StartsWith("owner=", answer.Header("x-continuity"), StringComparison.Ordinal);
        }
        var rows = await edge.QuietAsync(turns: 2);
        Assert.Equal(rows.Select(row => row.Session), [Bridged.Session, Bridged.Session]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_error_before_the_response_is_a_status(bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Then(new ErrorStep { Status = 422, Code = "invalid_prompt", Param = "input", Message = "No: ü." })));
        var answer = await edge.CarryAsync(stream: stream);
        Assert.Equal(422, answer.Status);
        var frame = edge.Sim.Recorded.Sockets.Single().Sent.Last().Text;
        var error = answer.Body[(answer.Body.IndexOf(':', StringComparison.Ordinal) + 1)..^1];
        Assert.StartsWith("{\"error\":{", answer.Body, StringComparison.Ordinal);
        Assert.Contains($"\"error\":{error}", frame, StringComparison.Ordinal);
        Assert.StartsWith("application/json", answer.Header("content-type"), StringComparison.Ordinal);
        await edge.GoesOnAsync();
        Assert.Equal(1, edge.HandshakesAt("a"));
        var rows = await edge.QuietAsync(turns: 2);
        Assert.Equal(("failed", 422, "invalid_prompt"), (rows[0].Status, rows[0].HttpStatus, rows[0].ErrorCode));
    }

    [Fact]
    public async Task A_failure_within_the_stream_is_its_last_event()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Fails("server_error", "Broken.", Position.Delta(1))));
        var answer = await edge.CarryAsync();
        Assert.Equal((200, "server_error"), (answer.Status, answer.Events[^1].Code()));
        var frame = edge.Sim.Recorded.Sockets.Single().Sent.Last().Text;
        Assert.EndsWith($"event: response.failed\ndata: {frame}\n\n", answer.Body, StringComparison.Ordinal);
        await edge.GoesOnAsync();
        Assert.Equal("failed", (await edge.QuietAsync(turns: 2))[0].Status);
    }

    [Theory]
    [InlineData(true, ": ")]
    [InlineData(true, "keepalive")]
    public async Task A_silent_turn_shows_signs_of_life(bool stream, string sign)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Stalls()), "Edge:KeepAliveSeconds=0.1");
        using var response = await edge.PostAsync(Bridged.Body(stream: stream), headers: sign == "keepalive" ? [Bridged.Thread, ("originator", "codex_exec")] : [Bridged.Thread]);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var first = await reader.ReadLineAsync();
        Assert.Contains(sign.Trim(), first, StringComparison.Ordinal);
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        edge.Sim.Release();
        Assert.Contains("response.completed", await reader.ReadToEndAsync(), StringComparison.Ordinal);
        await edge.QuietAsync(turns: 1);
    }
}

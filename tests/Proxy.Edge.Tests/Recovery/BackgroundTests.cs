using System.Text;
using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>A response in the background runs on when its stream breaks: its end is upstream's to tell, to whoever follows it.</summary>
public sealed class BackgroundTests
{
    private const string Background = ",\"background\":true";

    [Fact]
    public async Task A_stream_that_is_cut_ends_without_an_end_and_can_be_gone_on_with()
    {
        await using var edge = await StartAsync();
        using var response = await edge.PostAsync(RunningEdge.Body(Background));
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var body = new StringBuilder();
        // What is on its way when a connection is cut is lost, so it is cut when all of it is here.
        while (await reader.ReadLineAsync() is { } line)
        {
            body.Append(line).Append('\n');
            if (line.Contains("response.output_text.delta", StringComparison.Ordinal) && edge.Sim.Stalled == 1)
            {
                edge.Sim.Kill();
            }
        }
        var events = Sse.Read(body.ToString());
        Assert.Equal(("response.created", "response.output_text.delta"), (events[0].Type(), events[^1].Type()));
        Assert.Equal(Enumerable.Range(0, events.Count).Select(number => (long)number), events.Select(one => one.Sequence()));
        edge.Sim.Release();
        var rest = Sse.Read(await edge.Http.GetStringAsync($"/v1/responses/{events[0].Id()}?stream=true&starting_after={events[^1].Sequence()}"));
        Assert.Equal(events[^1].Sequence() + 1, rest[0].Sequence());
        Assert.Equal("response.completed", rest[^1].Type());
        await RunsOnAsync(edge, "cut_runs_on");
    }

    [Fact]
    public async Task A_silent_stream_ends_without_an_end()
    {
        await using var edge = await StartAsync("Edge:IdleSeconds=1");
        Assert.Equal("response.output_text.delta", Sse.Read((await edge.TurnAsync(Background)).Body)[^1].Type());
        await RunsOnAsync(edge, "idle_runs_on");
    }

    [Fact]
    public async Task An_edge_that_stops_does_not_ask_for_a_second_run()
    {
        await using var edge = await StartAsync("Drain:Seconds=1");
        using var response = await edge.PostAsync(RunningEdge.Body(Background));
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        var stopping = edge.StopAsync();
        var body = await response.Content.ReadAsStringAsync();
        Assert.Equal("response.output_text.delta", Sse.Read(body)[^1].Type());
        Assert.DoesNotContain("again", body, StringComparison.Ordinal);
        await stopping;
        await RunsOnAsync(edge, "draining_runs_on");
    }

    // A turn on a socket has to end for its client; what ends it is no event of the response.
    [Fact]
    public async Task On_a_socket_the_client_is_told_that_it_runs_on()
    {
        await using var edge = await StartAsync();
        using var socket = await edge.ConnectAsync();
        await socket.SendAsync(Asking.Frame(more: Background));
        await edge.Sim.WhenAsync(sim => sim.Stalled == 1);
        edge.Sim.Kill();
        var told = await socket.UntilAsync("error");
        Assert.Equal(("stream_incomplete", 502, null), (told.Code(), told["status"]!.GetValue<int>(), told["sequence_number"]));
        Assert.Contains("starting_after", told.Message(), StringComparison.Ordinal);
        await RunsOnAsync(edge, "cut_runs_on");
    }

    private static Task<RunningEdge> StartAsync(params string[] settings) =>
        RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Stalls(Position.Delta(2))), settings);

    private static async Task RunsOnAsync(RunningEdge edge, string reason)
    {
        var row = await edge.RowAsync();
        Assert.Equal(("cut", "stream_incomplete"), (row.Status, row.ErrorCode));
        Assert.EndsWith($"reason={reason}", row.Continuity, StringComparison.Ordinal);
    }
}

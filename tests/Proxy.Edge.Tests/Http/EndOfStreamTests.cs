using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Http;

/// <summary>The terminal event leaves whole, and then the stream ends.</summary>
public sealed class EndOfStreamTests
{
    [Fact]
    public async Task A_client_that_stops_reading_for_a_while_gets_the_whole_terminal_event()
    {
        var completed = $"data: {{\"type\":\"response.completed\",\"sequence_number\":9,\"response\":{{\"id\":\"resp_1\",\"status\":\"completed\",\"output\":\"{new string('x', 16 << 20)}\"}}}}\n\n";
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.WithId("resp_1").Writes(completed, Position.Created).Ends(Position.Created)));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = new StringContent(RunningEdge.Body(), System.Text.Encoding.UTF8, "application/json") };
        using var response = await edge.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using var body = await response.Content.ReadAsStreamAsync();
        await edge.Sim.WhenAsync(sim => sim.Account("a").InFlight == 0);
        // Longer than what comes after the end may take: what is looked at is that nothing happens.
        await Task.Delay(TimeSpan.FromSeconds(8), TimeProvider.System);
        using var reader = new StreamReader(body);
        Assert.EndsWith(completed, await reader.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal("success", (await edge.RowAsync()).Status);
    }

    [Fact]
    public async Task Comments_after_the_end_do_not_hold_the_client()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule =>
        {
            for (var comment = 0; comment < 200; comment++)
            {
                rule.Pings(Position.Terminal).Waits(TimeSpan.FromMilliseconds(200), Position.Terminal);
            }
        }));
        Assert.Contains("response.completed", (await edge.TurnAsync()).Body, StringComparison.Ordinal);
        await edge.Sim.WhenAsync(sim => sim.Recorded.Turns.Single().ClientAborted);
        await Eventually.TrueAsync(() => edge.Accounts.Slots == 0);
    }
}

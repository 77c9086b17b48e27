using Testing;
using Testing.Processes;

namespace WholeSystem;

/// <summary>Edges that are restarted one after the other, by a signal, under traffic that follows their readiness.</summary>
[Collection(SystemCollection.Name)]
public sealed class DrainTests(RunningSystem system)
{
    private const int Clients = 8;

    [Fact]
    public async Task A_rolling_restart_fails_no_turn_that_is_shorter_than_the_drain()
    {
        system.Simulator.Script(rule => rule.Deltas(40, 4).Paced(TimeSpan.FromMilliseconds(10)));
        using var traffic = new CancellationTokenSource();
        var edges = new ReadyEdges(system.Gateway.AddressOf, count: 2);
        var watching = edges.WatchAsync(traffic.Token);
        var completed = 0;
        var clients = Enumerable.Range(0, Clients).Select(async number =>
        {
            while (!traffic.IsCancellationRequested)
            {
                edges.TryPick(out var edge);
                using var client = system.Client(edge: edge);
                var events = await client.StreamAsync($"client {number}");
                Assert.Equal("response.completed", (string?)events[^1]!["type"]);
                Interlocked.Increment(ref completed);
            }
        }).ToArray();

        foreach (var restarted in new[] { 0, 1 })
        {
            var before = Volatile.Read(ref completed);
            await Eventually.TrueAsync(() => Volatile.Read(ref completed) > before + Clients);
            await RestartAsync($"edge-{restarted}");
            await Eventually.TrueAsync(() => edges.IsReady(restarted), TimeSpan.FromSeconds(40));
        }
        await traffic.CancelAsync();
        await Task.WhenAll([watching, .. clients]);
        system.Simulator.ClearScript();
        await Eventually.TrueAsync(async () => await system.CountUnsettledTurnsAsync() == 0, TimeSpan.FromSeconds(40));
    }

    // As an orchestrator does it.
    private async Task RestartAsync(string edge)
    {
        var former = system.Gateway.Terminate(edge);
        await system.Gateway.WaitForRestartAsync(edge, former, TimeSpan.FromSeconds(40));
    }
}

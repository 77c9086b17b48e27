using System.Text.Json;
using Testing;
using Xunit.Abstractions;

namespace Clients.Tests;

/// <summary>Edges that are restarted by a signal, one after the other, under programs that use the openai npm SDK and try nothing again.</summary>
public sealed class RollingRestartTests(RollingSystem system, ITestOutputHelper output) : IClassFixture<RollingSystem>, IDisposable
{
    private const int Clients = 8;
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);
    // The process ends at most so long after running turns had to.
    private static readonly TimeSpan AfterDrain = TimeSpan.FromSeconds(5);

    public void Dispose() => system.Simulator.ClearScript();

    [NeedsNpmFact]
    public async Task A_rolling_restart_fails_no_turn_that_is_shorter_than_the_drain()
    {
        system.Simulator.Script(rule => rule.Deltas(10, 4).Paced(TimeSpan.FromMilliseconds(30)));
        await using var balancer = await Balancer.StartAsync(system);
        await using var clients = await NodeProgram.StartAsync("rolling.mjs", balancer.BaseAddress.ToString(), ClientSystem.Key, $"{Clients}");
        await EveryClientGoesOnAsync(clients);
        for (var edge = 0; edge < RollingSystem.Edges; edge++)
        {
            // An edge that has nothing to do is not worth stopping.
            await Eventually.TrueAsync(() => balancer.Running(edge) > 0);
            await system.WaitForRestartAsync(edge, system.Terminate(edge));
            await Eventually.TrueAsync(() => system.Ready.IsReady(edge) && balancer.Running(edge) > 0);
            await EveryClientGoesOnAsync(clients);
        }
        await clients.StopAsync();
        await clients.WaitForEndAsync(EndLimit);

        var turns = clients.Seen;
        output.WriteLine($"{turns.Count} turns, the longest {turns.Max(turn => (int)turn["ms"]!)} ms");
        var failed = turns.Where(turn => turn["failure"] is not null).Select(turn => turn.ToJsonString()).ToList();
        Assert.True(failed.Count == 0, $"{failed.Count} of {turns.Count} turns failed:\n{string.Join('\n', failed)}\n{string.Join('\n', balancer.Faults)}");
        // A draining edge opens no session, so not quite all.
        var carried = system.Simulator.Recorded.TurnFrames.Count(frame => frame.Text.Contains("threaded turn", StringComparison.Ordinal));
        Assert.InRange(carried, turns.Count(turn => (int)turn["client"]! % 2 == 0) / 2, int.MaxValue);
    }

    [NeedsNpmFact]
    public async Task Turns_over_sessions_that_are_longer_than_the_drain_are_told_that_they_are_incomplete()
    {
        const int stopped = 0;
        Conversation[] conversations =
        [
            new("own", Holder: stopped, Through: stopped),
            new("held for another", Holder: stopped, Through: 1),
            // The edge that runs the turn knows nothing of the stop.
            new("passed on", Holder: 2, Through: stopped),
        ];
        system.Simulator.Script(rule => rule.When(when => when with { Contains = "long of" }).Deltas(2000, 4).Paced(TimeSpan.FromMilliseconds(20)));
        foreach (var edge in Enumerable.Range(0, RollingSystem.Edges))
        {
            await Eventually.TrueAsync(() => system.Ready.IsReady(edge), StartLimit);
        }
        await using var clients = await NodeProgram.StartAsync("long.mjs", [ClientSystem.Key, .. conversations.Select(Argument)]);
        await Eventually.TrueAsync(() => conversations.All(one => clients.Seen.Any(seen => (string?)seen["name"] == one.Name && (string?)seen["type"] == "response.output_text.delta")));
        Assert.All(conversations, one => Assert.True(IsOnOneSocket(one.Name), $"{one.Name}: the turn is not where the session is"));

        var began = TimeProvider.System.GetTimestamp();
        var former = system.Terminate(stopped);
        // Longer than it may take: how a turn ended that took too long says more than that it did.
        await clients.WaitForEndAsync(RollingSystem.Drain + AfterDrain + EndLimit);
        var elapsed = TimeProvider.System.GetElapsedTime(began);
        output.WriteLine($"all told after {elapsed.TotalSeconds:F1} s");
        var ends = clients.Seen.Where(seen => seen["end"] is not null).ToList();
        Assert.Equal(conversations.Length, ends.Count);
        Assert.All(ends, end =>
            Assert.True(end["failure"] is null && (string?)end["last"] == "response.failed" && (string?)end["code"] == "stream_incomplete", end.ToJsonString()));
        // Not before its time either: a turn may use all of it.
        Assert.InRange(elapsed, RollingSystem.Drain - Tolerance, RollingSystem.Drain + AfterDrain);
        await system.WaitForRestartAsync(stopped, former);
    }

    private string Argument(Conversation one) => JsonSerializer.Serialize(
        new { name = one.Name, holder = new Uri(system.AddressOf(one.Holder), "v1"), through = new Uri(system.AddressOf(one.Through), "v1") });

    private bool IsOnOneSocket(string name) => system.Simulator.Recorded.Sockets.Any(socket =>
        new[] { "first", "long" }.All(text => socket.Received.Any(frame => frame.Turn is not null && frame.Text.Contains($"{text} of {name}", StringComparison.Ordinal))));

    // Each has one more turn answered.
    private static async Task EveryClientGoesOnAsync(NodeProgram clients)
    {
        var before = Answered(clients);
        await Eventually.GetAsync(() => Task.FromResult(Answered(clients)), now => now.Zip(before).All(client => client.First > client.Second), TimeSpan.FromSeconds(20));
    }

    private static int[] Answered(NodeProgram clients)
    {
        var seen = clients.Seen;
        return [.. Enumerable.Range(0, Clients).Select(client => seen.Count(turn => (int)turn["client"]! == client && turn["failure"] is null))];
    }

    /// <param name="Holder">The edge that holds its session.</param>
    /// <param name="Through">The edge that the client of its long turn is connected to.</param>
    private sealed record Conversation(string Name, int Holder, int Through);
}

using System.Text.RegularExpressions;
using Testing;
using Testing.Processes;
using Xunit.Abstractions;

namespace WholeSystem.Sessions;

/// <summary>Edges that die, leave, and freeze, while conversations go on over all of them.</summary>
[Collection(ThreeEdgesCollection.Name)]
public sealed partial class EdgeFaultTests(ThreeEdges edges, ITestOutputHelper output)
{
    // Sixty turns a second: more is beyond what two slow cores carry beside the faults, and then clients give up for that.
    private static readonly TimeSpan Think = TimeSpan.FromSeconds(4);
    // A claim ends after ten seconds without a renewal.
    private static readonly TimeSpan PastTheLease = TimeSpan.FromSeconds(12);

    private RunningSystem System => edges.System;

    [Fact]
    public async Task Conversations_lose_what_lived_on_their_edges_sockets_and_nothing_else()
    {
        var incidents = new Incidents();
        var stored = edges.TalkAsync(conversations: 40, turns: 10, store: true, Think, new Incidents(), (_, _) => Task.CompletedTask);
        var conversations = await edges.TalkAsync(conversations: 200, turns: 10, store: false, Think, incidents, FaultsAsync);
        TimeSpan[] told = [.. incidents.NotFound.Select(told => told.Elapsed).Order()];
        output.WriteLine($"{told.Length} anchors told dead: half of them within {told[told.Length / 2].TotalMilliseconds:F0} ms, the slowest in {told[^1].TotalMilliseconds:F0} ms, "
            + $"{told.Count(elapsed => elapsed > TimeSpan.FromSeconds(1))} later than a second; {incidents.Retried} turns tried again");
        // Three faults cost a conversation three times at most, and once more for each turn that upstream has done without its client's hearing of it: that one is the latest
        // on its socket then. One whose responses upstream stores is cost nothing.
        var done = Done();
        Assert.All(conversations, conversation =>
        {
            var unheard = done.GetValueOrDefault(conversation.Name) - conversation.Answered;
            Assert.True(conversation.Rebuilt <= 3 + unheard, $"{conversation.Name} was rebuilt {conversation.Rebuilt} times, {unheard} turns unheard\n{conversation.History}");
        });
        Assert.All(await stored, conversation => Assert.Equal(0, conversation.Rebuilt));
        // On a busy machine one or the other may take longer; that clients wait as a rule would be a fault.
        Assert.InRange(told[told.Length / 2], TimeSpan.Zero, TimeSpan.FromSeconds(1));
        await NothingWasDoneTwiceAsync();
    }

    // {"type":"response.completed",..."You said: turn 3 of 01a2...-17. Items: ..."}: how many of each conversation.
    private Dictionary<string, int> Done() => System.Simulator.Recorded.Sockets
        .SelectMany(socket => socket.Sent)
        .Where(frame => frame.Text.Contains("\"response.completed\"", StringComparison.Ordinal))
        .Select(frame => Said().Match(frame.Text).Groups["name"].Value)
        .CountBy(name => name)
        .ToDictionary();

    [GeneratedRegex("You said: turn [0-9]+ of (?<name>[0-9a-f]+-[0-9]+)\\.")]
    private static partial Regex Said();

    private async Task FaultsAsync(ReadyEdges edges, IReadOnlyList<Conversation> conversations)
    {
        await Task.Delay(Think * 1.5, TimeProvider.System);
        Tell("edge-0 is killed");
        var killed = System.Gateway.Kill("edge-0");
        await System.Gateway.WaitForRestartAsync("edge-0", killed, TimeSpan.FromSeconds(30));
        await Eventually.TrueAsync(() => edges.IsReady(0), TimeSpan.FromSeconds(30));

        // Those that were not on it go on as if nothing had been.
        await Eventually.TrueAsync(() => conversations.All(conversation => conversation.Answered >= 4), TimeSpan.FromSeconds(60));
        Assert.Contains(conversations, conversation => conversation.Rebuilt == 0);

        Tell("edge-1 leaves");
        var drained = System.Gateway.Terminate("edge-1");
        await System.Gateway.WaitForRestartAsync("edge-1", drained, TimeSpan.FromSeconds(40));
        await Eventually.TrueAsync(() => edges.IsReady(1), TimeSpan.FromSeconds(30));

        Tell("edge-2 is frozen");
        System.Gateway.Freeze("edge-2");
        await Task.Delay(PastTheLease, TimeProvider.System);
        Tell("edge-2 goes on");
        System.Gateway.Thaw("edge-2");
    }

    private void Tell(string fault) => output.WriteLine($"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {fault}");

    // Two edges that wrote for one session at the same time would show as overlapping successes.
    private async Task NothingWasDoneTwiceAsync()
    {
        await Eventually.TrueAsync(async () => await System.CountUnsettledTurnsAsync() == 0, TimeSpan.FromSeconds(60));
        var overlaps = await System.QueryAsync<long>("""
            SELECT count(*) FROM request_logs a JOIN request_logs b ON a.session = b.session AND a.edge_id < b.edge_id
            WHERE a.status = 'success' AND b.status = 'success'
              AND a.requested_at < b.requested_at + b.duration_ms * interval '1 ms' AND b.requested_at < a.requested_at + a.duration_ms * interval '1 ms'
            """);
        Assert.Equal(0, overlaps);
    }
}

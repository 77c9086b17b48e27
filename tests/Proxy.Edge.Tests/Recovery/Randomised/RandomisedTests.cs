using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Tests.Fixture;
using Testing;
using Xunit.Abstractions;

namespace Proxy.Edge.Tests.Recovery.Randomised;

/// <summary>
/// Many clients over both surfaces against an upstream that fails in every way it can. What each client does and what goes wrong comes from a
/// seed; it is printed, and the environment variable <c>RANDOMISED_SEED</c> sets it.
/// </summary>
public sealed partial class RandomisedTests(ITestOutputHelper output)
{
    private const int Clients = 24;
    private const int TurnsPerClient = 90;

    [Theory]
    [InlineData("off")]
    [InlineData("auto")]
    public async Task Whatever_happens_every_turn_ends_once_and_nothing_crosses(string sessions)
    {
        var seed = int.Parse(Environment.GetEnvironmentVariable("RANDOMISED_SEED") ?? "415", CultureInfo.InvariantCulture);
        output.WriteLine($"Seed {seed}");
        var plan = new Plan(seed, Clients, TurnsPerClient);
        Assert.True(plan.Turns.Count() >= 2_000);
        var seen = new Seen();
        await RunAsync(plan, seen, sessions, $"{seed}-{sessions}");
        foreach (var ending in seen.Terminals.GroupBy(ending => ending).OrderByDescending(ending => ending.Count()))
        {
            output.WriteLine($"{ending.Count(),6} {ending.Key}");
        }
        Assert.True(seen.Violations.IsEmpty, $"Seed {seed}, {seen.Violations.Count} violations, all in {seen.Transcript}, the first:\n{string.Join('\n', seen.Violations.Take(30))}");
    }

    private static async Task RunAsync(Plan plan, Seen seen, string sessions, string name)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Accounts.Remove("a");
            edge.Add("a", lanes: true, domain: "org");
            edge.Add("b", domain: "org");
            edge.Add("c", lanes: true);
            edge.Add("d");
            // A handshake names no turn: its account is left to chance too.
            var asked = 0;
            edge.Accounts.OnAdmit = request => Task.FromResult<AdmissionResponse?>(edge.Accounts.Admit(request.PreferredAccountId is not null
                ? request
                : request with { PreferredAccountId = "acc-" + Plan.Accounts[Interlocked.Increment(ref asked) % Plan.Accounts.Length] }));
            foreach (var turn in plan.Turns)
            {
                edge.Continuity.Bind($"thread:{turn.Thread}", turn.Account, domain: turn.Account is "a" or "b" ? "org" : null);
            }
            plan.Write(edge.Sim);
        }, "Edge:ConnectSeconds=2", "Edge:KeepAliveSeconds=0.5", "Edge:CreatedSeconds=2", "Edge:IdleSeconds=2", "Edge:TurnSeconds=30",
            $"Sessions:Mode={sessions}", "Sessions:AbandonedTurnSeconds=1", "Sessions:HardIdleSeconds=2", "Sessions:SweepSeconds=0.2");

        var sockets = plan.Clients.Where(client => client.Kind == Kind.Socket).Select(client => new SocketClient(edge, client, seen)).ToList();
        try
        {
            await Task.WhenAll(
            [
                .. sockets.Select(client => Task.Run(client.RunAsync)),
                .. plan.Clients.Where(client => client.Kind != Kind.Socket).Select(client => Task.Run(new HttpClientOfPlan(edge, client, seen).RunAsync)),
            ]);
            sockets.ForEach(client => client.Dispose());
            await NothingIsLeftAsync(edge, plan, seen);
            CheckRows(edge, plan, seen);
            CheckSent(edge, plan, seen, isPlain: sessions == "off");
        }
        catch (Exception failed)
        {
            seen.Wrong(null, failed.ToString());
        }
        finally
        {
            sockets.ForEach(client => client.Dispose());
        }
        if (!seen.Violations.IsEmpty)
        {
            seen.Transcript = Transcript.Write(edge, plan, seen, name);
        }
    }

    private static async Task NothingIsLeftAsync(RunningEdge edge, Plan plan, Seen seen)
    {
        try
        {
            await Eventually.TrueAsync(() => edge.Leases.Count == 0 && edge.Accounts.Slots == 0);
        }
        catch (TimeoutException)
        {
            var rows = edge.Continuity.Rows.ToLookup(row => row.Id);
            seen.Wrong(null, $"{edge.Leases.Count} leases and {edge.Accounts.Slots} slots are left: " + string.Join("; ", edge.Accounts.Held.Select(held =>
                $"{held.Value} by {string.Join(", ", rows[held.Key])} after {string.Join(", ", edge.Accounts.Asked.Where(asked => asked.TurnId == held.Key))}")));
        }
        foreach (var token in Plan.Accounts)
        {
            await Eventually.TrueAsync(() => edge.Sim.Account(token).InFlight == 0 && edge.Sim.Account(token).OpenSockets == 0);
        }
        var ended = seen.Endings.Count(ending => ending.Value == Ending.Terminal);
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Count >= ended);
        await Eventually.TrueAsync(() => edge.Accounts.Settled.Count == edge.Continuity.Rows.Count(row => row.AccountId is not null));
        Assert.Equal(plan.Turns.Count(), seen.Endings.Count);
        if (!edge.Accounts.MovedWrongly.IsEmpty)
        {
            seen.Wrong(null, $"{edge.Accounts.MovedWrongly.Count} slots were moved that were not held: " + string.Join("; ", edge.Accounts.MovedWrongly.Select(moved =>
                $"{moved} of {string.Join(", ", edge.Accounts.Asked.Where(asked => asked.TurnId == moved.TurnId))}, settled {edge.Accounts.Settled.Any(turn => turn.TurnId == moved.TurnId)}")));
        }
    }

    /// <summary>One row for each accepted turn.</summary>
    private static void CheckRows(RunningEdge edge, Plan plan, Seen seen)
    {
        var rows = edge.Continuity.Rows.ToLookup(row => row.SessionId);
        foreach (var turn in plan.Turns)
        {
            var (count, ending) = (rows[turn.Thread].Count(), seen.Endings[turn.Number]);
            if (ending switch { Ending.Terminal => count != 1, Ending.Closed => count != 0, _ => count > 1 })
            {
                seen.Wrong(turn, $"{ending} with {count} rows: {string.Join(", ", rows[turn.Thread].Select(row => $"{row.Status} {row.ErrorCode}"))}");
            }
        }
        if (edge.Accounts.Settled.GroupBy(settled => settled.TurnId).FirstOrDefault(turn => turn.Count() > 1) is { } twice)
        {
            seen.Wrong(null, $"{twice.Count()} settlements of one turn");
        }
    }

    /// <summary>No follow-up outside its domain, and nothing sent twice that may have run but what is counted so.</summary>
    private static void CheckSent(RunningEdge edge, Plan plan, Seen seen, bool isPlain)
    {
        var minted = new Dictionary<string, string>();
        var sent = new List<(string Account, DateTimeOffset At, JsonElement Json, string Text)>();
        foreach (var exchange in edge.Sim.Recorded.All)
        {
            foreach (var id in exchange.ResponseIds)
            {
                minted[id] = exchange.Account!;
            }
            sent.AddRange(exchange.Received.Where(frame => frame.Turn is not null).Select(frame => (exchange.Account!, frame.At, frame.Json, frame.Text)));
            if (exchange.Turn is not null)
            {
                sent.Add((exchange.Account!, exchange.StartedAt, exchange.Json, System.Text.Encoding.UTF8.GetString(exchange.Body.Span)));
            }
        }
        var attempts = sent.ToLookup(one => Marker().Match(one.Text).Value);
        var kinds = plan.Clients.SelectMany(client => client.Lanes.SelectMany(lane => lane.Turns).Select(turn => (turn.Number, client.Kind))).ToDictionary();
        var doubled = 0;
        foreach (var turn in plan.Turns)
        {
            var (tries, anchor) = (attempts[turn.Marker].OrderBy(one => one.At).ToArray(), seen.Anchors.GetValueOrDefault(turn.Number));
            foreach (var one in tries.Where(_ => anchor is not null && minted.ContainsKey(anchor)))
            {
                if (Domain(one.Account) != Domain(minted[anchor!]))
                {
                    seen.Wrong(turn, $"its anchor is of {minted[anchor!]}, {one.Account} got it");
                }
            }
            // An account without lanes is not told the lane.
            if (tries.Select(one => Lane().Replace(one.Text, "")).Distinct().Count() > 1)
            {
                seen.Wrong(turn, "its frames differ");
            }
            if (tries.Length > 2)
            {
                seen.Wrong(turn, $"sent {tries.Length} times");
            }
            if (tries.Length == 2 && turn.Fault is not { IsExplicit: true })
            {
                if (anchor is null)
                {
                    doubled++;
                }
                // A session has sockets, too; whether a turn may be sent once more is then no question of how its client speaks. Over plain HTTP it is where a
                // connection was reset: that takes along what had come and was not read yet, so it may have been unanswered wherever it was cut.
                var mayBeUnanswered = anchor is null && turn.Fault?.Name.StartsWith("cut", StringComparison.Ordinal) == true;
                if (kinds[turn.Number] != Kind.Socket && ((isPlain && !mayBeUnanswered) || turn is { Fault: null, Anchoring: not Anchoring.Bogus }))
                {
                    seen.Wrong(turn, "sent twice over HTTP");
                }
                if (anchor is not null && turn is { Fault.BreaksFirst: true } && !IsRefused(edge, turn))
                {
                    seen.Wrong(turn, "a follow-up was sent again that may have run");
                }
            }
        }
        var ambiguous = edge.Counters.Of("continuity.replay", ("trigger", "ambiguous"));
        if (doubled > ambiguous)
        {
            seen.Wrong(null, $"{doubled} turns may have run twice, {ambiguous} are counted");
        }
    }

    // Upstream's first word to the first try: it has said then that the turn has not run.
    private static bool IsRefused(RunningEdge edge, PlannedTurn turn) => edge.Sim.Recorded.Sockets
        .Select(socket => socket.Frames.SkipWhile(frame => !frame.FromClient || !frame.Text.Contains(turn.Marker, StringComparison.Ordinal)).Take(2).ToArray())
        .Where(frames => frames.Length == 2)
        .MinBy(frames => frames[0].At) is [_, { FromClient: false } first] && first.Text.Contains("previous_response_not_found", StringComparison.Ordinal);

    private static string Domain(string account) => account is "a" or "b" ? "org" : account;

    [GeneratedRegex(",\"stream_id\":\"[^\"]*\"")]
    private static partial Regex Lane();

    [GeneratedRegex("t[0-9]{5};")]
    private static partial Regex Marker();
}

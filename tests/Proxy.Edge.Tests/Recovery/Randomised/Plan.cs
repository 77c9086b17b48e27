using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Recovery.Randomised;

/// <summary>How a client reaches the edge.</summary>
internal enum Kind
{
    Socket,
    HttpStream,
    HttpJson,
}

/// <summary>What a turn continues.</summary>
internal enum Anchoring
{
    None,

    /// <summary>The lane's, or the client's, latest response.</summary>
    Own,

    /// <summary>A stored response of any client.</summary>
    Stored,

    /// <summary>An id that never was.</summary>
    Bogus,
}

/// <summary>When a client leaves in the middle of a turn.</summary>
internal enum Leaving
{
    Never,
    AtOnce,
    AfterTheFirstEvent,
}

/// <summary>What upstream does to a turn.</summary>
/// <param name="IsExplicit">Upstream says that it has not run the turn.</param>
/// <param name="BreaksFirst">The connection breaks before anything came.</param>
internal sealed record Fault(string Name, bool IsExplicit, bool BreaksFirst, Action<RuleBuilder> Apply);

/// <summary>One turn: everything about it that is decided beforehand.</summary>
internal sealed record PlannedTurn(int Number, string Account, Anchoring Anchoring, bool Store, Leaving Leaving, Fault? Fault, int Times, int Pick)
{
    /// <summary>The input, which no other turn has; the simulator's answer quotes it.</summary>
    public string Marker => $"t{Number:00000};";

    /// <summary>The turn's own scope, by which its row is known.</summary>
    public string Thread => $"t{Number:00000}";
}

/// <summary>One client: each of its lanes runs its turns one after the other.</summary>
internal sealed record PlannedClient(int Number, Kind Kind, bool Codex, IReadOnlyList<(string? Lane, IReadOnlyList<PlannedTurn> Turns)> Lanes);

/// <summary>Everything that is left to chance, from one seed.</summary>
internal sealed class Plan
{
    public static readonly string[] Accounts = ["a", "b", "c", "d"];

    private static readonly string[] Shapes = ["error", "failed"];
    private static readonly string[] Quotas = ["rate_limit_exceeded", "usage_limit_reached", "insufficient_quota", "usage_not_included", "quota_exceeded"];
    private static readonly string[] Overloads = ["server_is_overloaded", "overloaded_error", "slow_down"];
    private static readonly string[] Breaks = ["cut", "eof", "1000", "1001", "1011", "1008", "1009"];
    private static readonly string[] Positions = ["start", "start", "created", "delta:1", "delta:3", "output", "terminal"];
    private static readonly string[] NotFound = ["code", "invalid", "message", "failed", "failed anonymous", "failed foreign"];

    private readonly Random _random;
    private int _turns;

    public Plan(int seed, int clients, int turnsPerClient)
    {
        // The point of it: the same seed is the same plan.
#pragma warning disable CA5394
        _random = new Random(seed);
        Clients = [.. Enumerable.Range(0, clients).Select(number => Client(number, turnsPerClient))];
        Upgrades = [.. Accounts.SelectMany(account => Enumerable.Range(1, 400).Where(_ => _random.Next(20) == 0).Select(number => (account, number, _random.Next(4))))];
#pragma warning restore CA5394
    }

    public IReadOnlyList<PlannedClient> Clients { get; }

    /// <summary>The n-th handshakes of accounts that fail, and how.</summary>
    public IReadOnlyList<(string Account, int Number, int How)> Upgrades { get; }

    public IEnumerable<PlannedTurn> Turns => Clients.SelectMany(client => client.Lanes).SelectMany(lane => lane.Turns);

    /// <summary>Tells the simulator.</summary>
    public void Write(Simulator.SimulatorServer sim)
    {
        foreach (var (account, number, how) in Upgrades)
        {
            sim.Script(rule => _ = how switch
            {
                0 => rule.Account(account).OnUpgrade().Turn(number).Refuses(503, "server_is_overloaded"),
                1 => rule.Account(account).OnUpgrade().Turn(number).Refuses(500, "server_error"),
                2 => rule.Account(account).OnUpgrade().Turn(number).Refuses(429, "usage_limit_reached"),
                _ => rule.Account(account).OnUpgrade().Turn(number).Cuts(),
            });
        }
        foreach (var turn in Turns.Where(turn => turn.Fault is not null))
        {
            sim.Script(rule =>
            {
                rule.When(when => when with { Contains = turn.Marker }).Times(turn.Times);
                turn.Fault!.Apply(rule);
            });
        }
    }

    private PlannedClient Client(int number, int turns)
    {
        var kind = (number % 4) switch { 0 or 1 => Kind.Socket, 2 => Kind.HttpStream, _ => Kind.HttpJson };
        var lanes = kind == Kind.Socket ? 1 + (number / 4 % 3) : 1;
        return new PlannedClient(number, kind, Codex: number % 8 < 4, [.. Enumerable.Range(0, lanes).Select(lane =>
            (lane == 0 ? null : $"lane-{lane}", (IReadOnlyList<PlannedTurn>)[.. Enumerable.Range(0, turns / lanes).Select(_ => Turn(kind))]))]);
    }

    private PlannedTurn Turn(Kind kind)
    {
        var anchoring = Next(10) switch { < 4 => Anchoring.None, < 7 => Anchoring.Own, < 9 => Anchoring.Stored, _ => Next(5) == 0 ? Anchoring.Bogus : Anchoring.Own };
        var fault = Next(100) < 40 ? kind == Kind.Socket ? SocketFault() : HttpFault(kind) : null;
        return new PlannedTurn(++_turns, Of(Accounts), anchoring, Store: Next(3) > 0, Next(100) switch { 0 => Leaving.AtOnce, 1 => Leaving.AfterTheFirstEvent, _ => Leaving.Never },
            fault, Times: 1 + (Next(5) == 0 ? 1 : 0), Pick: Next(int.MaxValue));
    }

    private Fault SocketFault()
    {
        var (shape, after, code) = (Of(Shapes), Position.Parse(Of(Positions)), "");
        switch (Next(11))
        {
            case 0:
                code = Of(Quotas);
                return new($"{code} as {shape}", true, false, rule => rule.Rejects(shape, 429, code));
            case 1:
                code = Of(Overloads);
                return new($"{code} as {shape}", true, false, rule => rule.Rejects(shape, 503, code));
            case 2:
                return new($"401 as {shape}", true, false, rule => rule.Rejects(shape, 401, "invalid_api_key", type: "authentication_error"));
            case 3:
                code = Of(NotFound);
                return new($"not found as {code}", true, false, rule => rule.SaysNotFound(code));
            case 4:
                code = Of(NotFound);
                return new($"not found as {code} after created", false, false, rule => rule.SaysNotFound(code, Position.Created));
            case 5:
                return new($"server_error as {shape} at {after}", false, false, rule => rule.Rejects(shape, 500, "server_error", after: after.Name == "terminal" ? Position.Created : after));
            case 6:
                return new($"foreign end at {after}", false, false, rule => rule.Inserts("""{"type":"response.completed","response":{"id":"resp_foreign","status":"completed"}}""", after));
            case 7:
                // Before anything has begun it is the error of the only turn that waits (MatchingTests).
                return new("an error of nobody", false, false, rule => rule.Then(new EventStep(System.Text.Json.JsonDocument.Parse(
                    """{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"Previous response with id 'resp_nobody' not found."}}""").RootElement)
                { After = after.Name == "start" ? Position.Created : after, Laneless = true }));
            case 8:
                return new($"stall at {after}", false, false, rule => rule.Waits(TimeSpan.FromMilliseconds(30), after));
            default:
                code = Of(Breaks);
                return new($"{code} at {after}", false, after == Position.Start, rule => rule.Breaks(code, after));
        }
    }

    private Fault HttpFault(Kind kind)
    {
        var shape = kind == Kind.HttpJson ? "status" : Of(["status", "failed", "error"]);
        var after = Position.Parse(Of(["start", "start", "headers", "created", "delta:2", "output"]));
        switch (Next(7))
        {
            case 0:
                var quota = Of(Quotas);
                return new($"{quota} as {shape}", true, false, rule => rule.RejectsOverHttp(shape, 429, quota));
            case 1:
                var overload = Of(Overloads);
                return new($"{overload} as {shape}", true, false, rule => rule.RejectsOverHttp(shape, 503, overload));
            case 2:
                return new("401", true, false, rule => rule.Refuses(401, "invalid_api_key"));
            case 3:
                return new("not found", false, false, rule => rule.SaysNotFoundOverHttp(shape));
            case 4:
                return new("500", false, false, rule => rule.Refuses(500, "server_error"));
            case 5:
                return new($"stall at {after}", false, false, rule => rule.Waits(TimeSpan.FromMilliseconds(30), after));
            default:
                var how = Of(["cut", "eof"]);
                return new($"{how} at {after}", false, after.Name is "start" or "headers", rule => rule.Breaks(how, after));
        }
    }

#pragma warning disable CA5394
    private int Next(int below) => _random.Next(below);

    private T Of<T>(T[] some) => some[_random.Next(some.Length)];
#pragma warning restore CA5394
}

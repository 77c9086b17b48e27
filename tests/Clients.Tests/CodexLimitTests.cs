using System.Text.Json.Nodes;
using Simulator;
using Simulator.Scripts;
using Testing.Systems;

namespace Clients.Tests;

/// <summary>
/// What a user of the Codex CLI sees where an account says "not now": what would be seen without the gateway, or better. Each test has a system of its own, whose
/// accounts nobody has marked yet.
/// </summary>
[Collection(LimitCollection.Name)]
public sealed class CodexLimitTests : IAsyncLifetime
{
    private const string First = "token-first";
    private const string Second = "token-second";

    private SimulatorServer? _simulator;

    public async Task InitializeAsync() => _simulator = await SimulatorServer.StartAsync();

    public async Task DisposeAsync() => await _simulator!.DisposeAsync();

    [NeedsNpmFact]
    public Task A_limit_of_a_second_over_HTTP() => WaitsAsync(overWebSocket: false, rule => OfTheTurn(rule).Once());

    [NeedsNpmFact]
    public Task A_limit_of_a_second_over_WebSocket() => WaitsAsync(overWebSocket: true, rule => OfTheTurn(rule).Once());

    [NeedsNpmFact]
    public Task A_limit_of_a_second_at_the_upgrade() => WaitsAsync(overWebSocket: true, rule => rule.OnUpgrade().Times(2));

    [NeedsNpmFact]
    public Task No_account_speaks_WebSocket_and_Codex_asks_over_HTTP() => StaysOnHttpAsync(overWebSocket: false);

    [NeedsNpmFact]
    public Task No_account_speaks_WebSocket_and_Codex_would_like_one() => StaysOnHttpAsync(overWebSocket: true);

    [NeedsNpmFact]
    public Task One_account_is_overloaded_over_HTTP() => IsServedByTheOtherAsync(overWebSocket: false);

    [NeedsNpmFact]
    public Task One_account_is_overloaded_over_WebSocket() => IsServedByTheOtherAsync(overWebSocket: true);

    private async Task WaitsAsync(bool overWebSocket, Func<RuleBuilder, RuleBuilder> where)
    {
        await using var gateway = await StartAsync(First);
        _simulator!.Script(rule => where(rule).Refuses(429, "rate_limit_exceeded", "Rate limit reached.", ("retry-after", "1")));
        await AnswersAsync(gateway, overWebSocket);
    }

    private async Task StaysOnHttpAsync(bool overWebSocket)
    {
        await using var gateway = await StartAsync(First);
        _simulator!.Script(rule => rule.OnUpgrade().Refuses(426, "websockets_unavailable"));
        await AnswersAsync(gateway, overWebSocket);
        // It is asked for once; from then on all know.
        Assert.Single(_simulator.Recorded.All, exchange => exchange.Method == "GET");
    }

    private async Task IsServedByTheOtherAsync(bool overWebSocket)
    {
        await using var gateway = await StartAsync(First, Second);
        _simulator!.Script(rule => OfTheTurn(rule.Account(First)).Errors(503, "server_is_overloaded", "Selected model is at capacity."));
        await AnswersAsync(gateway, overWebSocket);
        // Over WebSocket the turn begins behind a prewarm, which lives on that account's socket: Codex asks once more, without it.
        Assert.InRange(Asked(First), 1, overWebSocket ? 2 : 1);
        Assert.True(Asked(Second) >= 1, "The other account was not asked.");
    }

    private static RuleBuilder OfTheTurn(RuleBuilder rule) => rule.When(when => when with { Contains = "say hello", Prewarm = false });

    private int Asked(string token) => _simulator!.Recorded.Of(token).SelectMany(exchange => exchange.Received)
        .Count(frame => frame.Type == "response.create" && frame.Text.Contains("say hello", StringComparison.Ordinal) && !frame.Text.Contains("second turn", StringComparison.Ordinal) && (bool?)JsonNode.Parse(frame.Text)!["generate"] != false);

    private static async Task AnswersAsync(Gateway gateway, bool overWebSocket)
    {
        using var codex = await Codex.CreateAsync(new(gateway.BaseAddress, "v1"), overWebSocket);
        Assert.Contains("You said: say hello.", await codex.ExecAsync("say hello"), StringComparison.Ordinal);
        Assert.Contains("You said: second turn.", await codex.ResumeAsync("second turn"), StringComparison.Ordinal);
    }

    // The first is taken while it can be.
    private Task<Gateway> StartAsync(params string[] tokens)
    {
        var accounts = tokens.Select((token, priority) => $$"""
            {"name":"{{token}}","baseUrl":"{{_simulator!.BaseAddress}}v1","credential":{"kind":"bearer","token":"{{token}}"},"webSockets":true,"lanes":true,"priority":{{priority}}}
            """);
        return Gateway.StartAsync(new($$"""{"accounts":[{{string.Join(',', accounts)}}],"apiKeys":[{"name":"clients","key":"{{ClientSystem.Key}}"}]}"""));
    }
}

/// <summary>One after the other: each has processes of its own.</summary>
[CollectionDefinition(Name)]
public sealed class LimitCollection
{
    public const string Name = "limits";
}

using System.Text;
using Simulator.Scripts;

namespace Clients.Tests;

/// <summary>
/// What a user of the Codex CLI is told where upstream gives up a response that it has created: the same as without the gateway, as soon, and for one turn upstream.
/// </summary>
[Collection(RecoveryCollection.Name)]
public sealed class CodexUpstreamErrorTests(RecoverySystem system) : IAsyncLifetime
{
    // Codex waits 300 s for a stream that says nothing any more, and asks five more times for one that ended without an end.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly string _prompt = $"the one that fails {Guid.CreateVersion7():N}";

    public Task InitializeAsync() => system.ResetAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [NeedsNpmFact]
    public Task An_error_and_a_failed_response_over_HTTP() => FailsAsDirectAsync(overWebSocket: false, rule => rule.ErrorsAndFails("context_length_exceeded"));

    [NeedsNpmFact]
    public Task An_error_and_a_failed_response_over_WebSocket() => FailsAsDirectAsync(overWebSocket: true, rule => rule.ErrorsAndFails("context_length_exceeded"));

    [NeedsNpmFact]
    public Task A_failed_response_over_HTTP() => FailsAsDirectAsync(overWebSocket: false, rule => rule.Fails("invalid_prompt", "Not this.", Position.Created));

    [NeedsNpmFact]
    public Task A_failed_response_over_WebSocket() => FailsAsDirectAsync(overWebSocket: true, rule => rule.Fails("invalid_prompt", "Not this.", Position.Created));

    // Straight at upstream Codex skips such a frame, and waits for 300 s.
    [NeedsNpmFact]
    public async Task An_error_that_names_no_status_over_WebSocket()
    {
        system.Simulator.Script(rule => rule.When(when => when with { Contains = _prompt, Prewarm = false }).Errors(null, "invalid_prompt", "Not this.", Position.Created));
        var (told, asked) = await FailAsync(system.BaseAddress, overWebSocket: true);
        Assert.Contains(told, text => text.Contains("Not this.", StringComparison.Ordinal));
        Assert.Equal(1, asked);
    }

    private async Task FailsAsDirectAsync(bool overWebSocket, Func<RuleBuilder, RuleBuilder> trouble)
    {
        system.Simulator.Script(rule => trouble(rule.When(when => when with { Contains = _prompt, Prewarm = false })));
        var (direct, directly) = await FailAsync(new(system.Simulator.BaseAddress, "v1"), overWebSocket);
        var (through, asked) = await FailAsync(system.BaseAddress, overWebSocket);
        Assert.NotEmpty(direct);
        Assert.Equal(direct, through);
        Assert.Equal((1, 1), (directly, asked));
    }

    private async Task<(IReadOnlyList<string> Told, int Asked)> FailAsync(Uri address, bool overWebSocket)
    {
        var before = Asked();
        using var codex = await Codex.CreateAsync(address, overWebSocket);
        return (await codex.FailAsync(_prompt, Limit), Asked() - before);
    }

    private int Asked() => system.Simulator.Recorded.All.Count(exchange => exchange.Method == "POST" && Encoding.UTF8.GetString(exchange.Body.Span).Contains(_prompt, StringComparison.Ordinal))
        + system.Asked(_prompt);
}

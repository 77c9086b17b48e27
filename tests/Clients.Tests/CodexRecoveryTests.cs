using Simulator.Scripts;

namespace Clients.Tests;

/// <summary>
/// What a user of the Codex CLI sees when something breaks: nothing. Each test runs three turns of a thread over WebSocket, with the trouble in
/// the second, and counts what upstream was asked: nothing runs twice but what Codex itself asks for again.
/// </summary>
[Collection(RecoveryCollection.Name)]
public sealed class CodexRecoveryTests(RecoverySystem system) : IAsyncLifetime
{
    // What one test asks must not be taken for what another one does.
    private readonly string _trouble = $"the one with the trouble {Guid.CreateVersion7():N}";

    public Task InitializeAsync() => system.ResetAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [NeedsNpmFact]
    public Task The_upstream_socket_is_killed_within_a_turn() =>
        RunsAsync(rule => rule.Cuts(Position.Delta(2)), asked: 2);

    [NeedsNpmFact]
    public Task The_upstream_socket_is_closed_before_the_response_is_created() =>
        RunsAsync(rule => rule.Closes(1011), asked: 2);

    [NeedsNpmFact]
    public Task The_anchor_is_lost() =>
        RunsAsync(rule => rule.LosesAnchor(), asked: 2);

    [NeedsNpmFact]
    public Task The_service_is_overloaded() =>
        RunsAsync(rule => rule.Errors(503, "server_is_overloaded", "Try again."), asked: 2);

    [NeedsNpmFact]
    public Task The_credential_is_refused() =>
        RunsAsync(rule => rule.Errors(401, "token_expired"), asked: 2);

    [NeedsNpmFact]
    public async Task The_account_is_exhausted_and_another_one_of_its_organisation_goes_on()
    {
        await RunsAsync(rule => rule.Account(RecoverySystem.Same).Errors(429, "usage_limit_reached", "The usage limit has been reached."), asked: 2);
        Assert.Equal(1, system.Asked(_trouble, RecoverySystem.Twin));
    }

    [NeedsNpmFact]
    public async Task The_account_is_exhausted_and_only_another_organisations_can_go_on()
    {
        await system.ChangeAsync("twin", """{"state":"disabled"}""");
        await RunsAsync(rule => rule.Account(RecoverySystem.Same).Fails("usage_limit_reached", "The usage limit has been reached."), asked: 2);
        Assert.Equal(1, system.Asked(_trouble, RecoverySystem.Other));
    }

    [NeedsNpmFact]
    public async Task The_account_is_disabled_for_good_between_two_turns()
    {
        await RunsAsync(rule => rule.Says("You said: never."), asked: 1, beforeTrouble: async () =>
        {
            system.Simulator.ClearScript();
            await system.ChangeAsync("same", """{"state":"disabled"}""");
            await system.ChangeAsync("twin", """{"state":"disabled"}""");
        });
        Assert.Equal(1, system.Asked(_trouble, RecoverySystem.Other));
    }

    [NeedsNpmFact]
    public async Task The_user_interrupts_a_turn()
    {
        using var codex = await Codex.CreateAsync(system.BaseAddress, overWebSocket: true);
        var (server, thread) = await CodexAppServer.StartAsync(codex);
        await using (server)
        {
            await server.TurnAsync(thread, "the first");
            system.Simulator.Script(rule => rule.When(when => when with { Contains = _trouble, Prewarm = false }).Once().Stalls(Position.Delta(2)));
            var turn = await server.BeginTurnAsync(thread, _trouble);
            await system.Simulator.WhenAsync(simulator => simulator.Stalled == 1);
            await server.InterruptAsync(thread, turn);
            // What nobody waits for any more is stopped upstream, too.
            await system.Simulator.WhenAsync(simulator => simulator.Recorded.Sockets.Any(socket =>
                socket.ClientAborted && socket.Received.Any(frame => frame.Text.Contains(_trouble, StringComparison.Ordinal))));
            Assert.Contains("You said: the last.", await server.TurnAsync(thread, "the last"), StringComparison.Ordinal);
        }
        system.Simulator.Release();
    }

    private async Task RunsAsync(Func<RuleBuilder, RuleBuilder> trouble, int asked, Func<Task>? beforeTrouble = null)
    {
        using var codex = await Codex.CreateAsync(system.BaseAddress, overWebSocket: true);
        var (server, thread) = await CodexAppServer.StartAsync(codex);
        await using (server)
        {
            Assert.Contains("You said: the first.", await server.TurnAsync(thread, "the first"), StringComparison.Ordinal);
            system.Simulator.Script(rule => trouble(rule.When(when => when with { Contains = _trouble, Prewarm = false }).Once()));
            await (beforeTrouble?.Invoke() ?? Task.CompletedTask);
            Assert.Contains($"You said: {_trouble}.", await server.TurnAsync(thread, _trouble), StringComparison.Ordinal);
            Assert.Equal(asked, system.Asked(_trouble));
            Assert.Contains("You said: the last.", await server.TurnAsync(thread, "the last"), StringComparison.Ordinal);
        }
    }
}

/// <summary>One system for all tests of recovery.</summary>
[CollectionDefinition(Name)]
public sealed class RecoveryCollection : ICollectionFixture<RecoverySystem>
{
    public const string Name = "recovery";
}

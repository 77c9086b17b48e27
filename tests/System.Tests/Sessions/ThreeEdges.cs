using Testing.Processes;

namespace WholeSystem.Sessions;

/// <summary>A system of three edges.</summary>
public sealed class ThreeEdges : IAsyncLifetime
{
    public const int Count = 3;

    public RunningSystem System { get; } = new();

    public Task InitializeAsync() => System.StartAsync(Count);

    public Task DisposeAsync() => System.DisposeAsync();

    /// <summary>Conversations whose turns come in parallel and each in its time, until they have said all; meanwhile <paramref name="faults"/> happen.</summary>
    /// <param name="think">From one turn of a conversation to the next.</param>
    public async Task<IReadOnlyList<Conversation>> TalkAsync(int conversations, int turns, bool store, TimeSpan think, Incidents incidents, Func<ReadyEdges, IReadOnlyList<Conversation>, Task> faults)
    {
        using var ended = new CancellationTokenSource();
        var edges = new ReadyEdges(System.Gateway.AddressOf, Count);
        var watching = edges.WatchAsync(ended.Token);
        var run = Guid.CreateVersion7().ToString("N");
        var all = Enumerable.Range(0, conversations).Select(number => new Conversation(System, edges, incidents, $"{run}-{number}", store)).ToArray();
        var talking = Task.WhenAll(all.Select(async (conversation, number) =>
        {
            // Not all at once.
            await Task.Delay(think * number / conversations, TimeProvider.System);
            for (var turn = 0; turn < turns; turn++)
            {
                await conversation.SayAsync($"turn {turn} of {conversation.Name}");
                await Task.Delay(think, TimeProvider.System);
            }
        }));
        var happening = faults(edges, all);
        await talking;
        await happening;
        await ended.CancelAsync();
        await watching;
        return all;
    }
}

/// <summary>One system of three edges for all tests of sessions.</summary>
[CollectionDefinition(Name)]
public sealed class ThreeEdgesCollection : ICollectionFixture<ThreeEdges>
{
    public const string Name = "three edges";
}

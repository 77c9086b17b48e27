using Testing;
using Testing.Stores;

namespace WholeSystem;

/// <summary>An account's cap holds over all edges, whatever its clients do.</summary>
[Collection(SystemCollection.Name)]
public sealed class ConcurrencyTests(RunningSystem system)
{
    [Fact]
    public Task Of_64_clients_three_run_at_once() => CapHolds.AssertAsync(system);
}

/// <summary>The same with the other server of the Redis protocol.</summary>
public sealed class ConcurrencyOverRedisServerTests
{
    [NeedsProgramFact("redis-server")]
    public async Task Of_64_clients_three_run_at_once_with_redis_server()
    {
        var system = new RunningSystem();
        try
        {
            await system.StartAsync(edges: 2, RedisKind.Redis);
            await CapHolds.AssertAsync(system);
        }
        finally
        {
            await system.DisposeAsync();
        }
    }
}

internal static class CapHolds
{
    private const int Clients = 64;
    private const int TurnsEach = 6;

    public static async Task AssertAsync(RunningSystem system)
    {
        // Long enough that turns overlap.
        system.Simulator.Script(rule => rule.Account("token-narrow").Paced(TimeSpan.FromMilliseconds(2)));
        try
        {
            var served = await Task.WhenAll(Enumerable.Range(0, Clients).Select(async number =>
            {
                using var client = system.Client(RunningSystem.Narrow, edge: number % 2);
                var done = 0;
                for (var turn = 0; turn < TurnsEach; turn++)
                {
                    done += (number % 4 == 0 ? await OverSocketAsync(client) : await OverHttpAsync(client)) ? 1 : 0;
                }
                return done;
            }));
            Assert.Equal(Clients * TurnsEach, served.Sum());
            var account = system.Simulator.Account("token-narrow");
            Assert.Equal(RunningSystem.NarrowCap, account.Peak);
            await Eventually.TrueAsync(() => account.InFlight == 0);
        }
        finally
        {
            system.Simulator.ClearScript();
        }
    }

    private static async Task<bool> OverHttpAsync(ApiClient client) => (string?)(await client.StreamAsync("work"))[^1]["type"] == "response.completed";

    private static async Task<bool> OverSocketAsync(ApiClient client)
    {
        using var socket = await client.ConnectAsync();
        return (string?)(await socket.TurnAsync("work"))[^1]["type"] == "response.completed";
    }
}

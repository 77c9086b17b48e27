using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Testing;

namespace WholeSystem;

/// <summary>
/// Each process of the system is killed with SIGKILL under traffic and comes back. No accepted turn is missing from the log then,
/// and the system serves again without a hand.
/// </summary>
[Collection(SystemCollection.Name)]
public sealed class CrashTests(RunningSystem system)
{
    private const int Clients = 12;

    [Theory]
    [InlineData("edge-0")]
    [InlineData("edge-1")]
    [InlineData("continuity")]
    [InlineData("accounts")]
    [InlineData("postgres")]
    [InlineData("redis")]
    public async Task Every_accepted_turn_is_logged_and_the_system_serves_again(string victim)
    {
        // Turns long enough that some are under way when the process dies.
        system.Simulator.Script(rule => rule.Paced(TimeSpan.FromMilliseconds(3)));
        var completed = new ConcurrentBag<string>();
        var turnsBeforeCrash = new TaskCompletionSource();
        using var traffic = new CancellationTokenSource();
        var clients = Enumerable.Range(0, Clients).Select(number => RunClientAsync(number, completed, turnsBeforeCrash, traffic.Token)).ToArray();

        await turnsBeforeCrash.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await system.CrashAsync(victim);
        await system.UntilServingAsync(edge: 0);
        await system.UntilServingAsync(edge: 1);
        var afterCrash = completed.Count;
        await Eventually.TrueAsync(() => completed.Count > afterCrash + Clients, TimeSpan.FromSeconds(40));
        await traffic.CancelAsync();
        await Task.WhenAll(clients);
        system.Simulator.ClearScript();

        // Every turn that a client saw completed has its row by its id. A turn of the process that died may have ended before its id was
        // kept: its row has none, so of all that upstream has seen no more may be without a row of their own than there are such rows.
        var sent = system.Simulator.Recorded.All.SelectMany(exchange => exchange.ResponseIds).ToHashSet();
        Assert.Subset(sent, completed.ToHashSet());
        Assert.Empty(await Eventually.GetAsync(() => MissingAsync(completed), ids => ids.Length == 0, TimeSpan.FromSeconds(40)));
        await Eventually.TrueAsync(async () => (await MissingAsync(sent)).Length <= await RowsWithoutIdAsync(), TimeSpan.FromSeconds(40));

        // One row a turn, and no slot is left taken.
        Assert.Equal(0, await system.QueryAsync<long>("SELECT count(*) FROM (SELECT request_id FROM request_logs WHERE request_id IS NOT NULL GROUP BY request_id HAVING count(*) > 1) AS twice"));
        await Eventually.TrueAsync(async () => await system.CountSlotsAsync() == 0, TimeSpan.FromSeconds(40));
    }

    private async Task RunClientAsync(int number, ConcurrentBag<string> completed, TaskCompletionSource turnsBeforeCrash, CancellationToken traffic)
    {
        var turn = 0;
        while (!traffic.IsCancellationRequested)
        {
            using var client = system.Client(number % 2 == 0 ? RunningSystem.First : RunningSystem.Second, edge: number / 2 % 2);
            try
            {
                var last = (number % 3) switch
                {
                    0 => await OverSocketAsync(client),
                    1 => (await client.StreamAsync($"turn {turn}"))[^1],
                    _ => new JsonObject { ["type"] = "response.completed", ["response"] = (await client.CreateAsync($"turn {turn}")) is { IsSuccess: true } made ? made.Json : null },
                };
                if ((string?)last?["type"] == "response.completed" && (string?)last["response"]?["id"] is { } id)
                {
                    completed.Add(id);
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException
                or System.Net.WebSockets.WebSocketException or ArgumentOutOfRangeException)
            {
                // A client of a process that has just died. It tries again.
            }
            if (++turn == 3)
            {
                turnsBeforeCrash.TrySetResult();
            }
        }
    }

    private static async Task<JsonNode?> OverSocketAsync(ApiClient client)
    {
        using var socket = await client.ConnectAsync();
        return (await socket.TurnAsync("over a socket"))[^1];
    }

    private Task<long> RowsWithoutIdAsync() =>
        system.TryQueryAsync("SELECT count(*) FROM request_logs WHERE request_id IS NULL AND account_id IS NOT NULL AND kind = 'response'", otherwise: 0L);

    private Task<string[]> MissingAsync(IEnumerable<string> ids)
    {
        var list = string.Join(',', ids.Select(id => $"('{id}')"));
        return system.TryQueryAsync<string[]>(
            $"SELECT coalesce(array_agg(seen.id), ARRAY[]::text[]) FROM (VALUES {list}) AS seen(id) WHERE NOT EXISTS (SELECT 1 FROM request_logs WHERE request_id = seen.id)", otherwise: ["(no answer)"]);
    }
}

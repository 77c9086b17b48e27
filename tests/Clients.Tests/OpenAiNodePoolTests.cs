using System.Text.Json.Nodes;
using Simulator;
using Testing.Systems;

namespace Clients.Tests;

/// <summary>The openai npm SDK over a pool of two accounts behind two edges: what one account only knows is found again, whatever edge is asked.</summary>
public sealed class OpenAiNodePoolTests
{
    private const string Key = "cp-pool-0123456789";

    [NeedsNpmFact]
    public async Task Whatever_is_made_on_one_edge_is_used_on_the_other()
    {
        await using var simulator = await SimulatorServer.StartAsync();
        simulator.Script(rule => rule.When(when => when with { Contains = "in the background" }).Deltas(40).Paced(TimeSpan.FromMilliseconds(50)));
        await using var gateway = await Gateway.StartAsync(new($$"""
            {"accounts":[
              {"name":"A","baseUrl":"{{simulator.BaseAddress}}v1","credential":{"kind":"bearer","token":"pool-a"},"webSockets":true},
              {"name":"B","baseUrl":"{{simulator.BaseAddress}}v1","credential":{"kind":"bearer","token":"pool-b"},"webSockets":false}],
             "apiKeys":[{"name":"pool","key":"{{Key}}"},{"name":"another","key":"cp-another-0123456789"}]}
            """)
        { Edges = 2 });
        var clients = await NpmClients.InstallAsync();
        var (exitCode, output) = await NpmClients.RunAsync(
            clients, TimeSpan.FromSeconds(90), null, "node", "pool.mjs", $"{gateway.AddressOf(0)}v1", $"{gateway.AddressOf(1)}v1", Key, simulator.BaseAddress.ToString());
        Assert.True(exitCode == 0, output);
        var seen = JsonNode.Parse(output.Split('\n').Last(line => line.StartsWith('{')))!;

        string[] all = ["completed", "completed", "completed", "completed"];
        Assert.Equal(all, Texts(seen["stores"]!));
        Assert.Equal(all, Texts(seen["containers"]!));
        Assert.Equal(all, Texts(seen["uploads"]!));
        Assert.Equal(all, Texts(seen["items"]!));
        Assert.Equal(all, Texts(seen["encrypted"]!));

        var numbers = seen["numbers"]!.AsArray().Select(number => (int)number!).ToList();
        Assert.True((int)seen["cutAfter"]! < numbers.Count, "The stream was not cut.");
        Assert.Equal(Enumerable.Range(0, numbers.Count), numbers);
        Assert.Equal("response.completed", (string?)seen["last"]);
        Assert.Equal((string?)seen["whole"], (string?)seen["text"]);
    }

    private static IEnumerable<string?> Texts(JsonNode array) => array.AsArray().Select(one => one?.ToString());
}

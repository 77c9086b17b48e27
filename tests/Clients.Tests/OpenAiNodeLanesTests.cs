using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Simulator;
using Testing.Systems;

namespace Clients.Tests;

/// <summary>The openai npm SDK's own WebSocket with several lanes, straight at an upstream and through the gateway: what a program sees is the same.</summary>
public sealed partial class OpenAiNodeLanesTests
{
    private const string Key = "cp-lanes-0123456789";

    [NeedsNpmFact]
    public async Task Lanes_and_forks_are_as_they_are_without_the_gateway()
    {
        await using var simulator = await SimulatorServer.StartAsync();
        // It takes lanes as every account of the simulator does; the gateway is told so of one account only.
        var direct = await RunAsync($"{simulator.BaseAddress}v1", "direct");
        foreach (var lanes in new[] { true, false })
        {
            await using var gateway = await Gateway.StartAsync(new($$"""
                {"accounts":[{"name":"only","baseUrl":"{{simulator.BaseAddress}}v1","credential":{"kind":"bearer","token":"pooled"},"webSockets":true,"lanes":{{(lanes ? "true" : "false")}}}],
                 "apiKeys":[{"name":"lanes","key":"{{Key}}"}]}
                """));
            var through = await RunAsync($"{gateway.BaseAddress}v1", Key);
            // Without lanes upstream keeps one response for the whole socket: of two forks the one that comes first finds its parent.
            var (first, second) = (string?)through["left"]!["type"] == "response.completed" ? ("left", "right") : ("right", "left");
            string[] forks = lanes ? [first, second, $"{first}On", $"{second}On"] : [first, $"{first}On"];
            foreach (var turn in (string[])["parent", .. forks, "unnamed", "after"])
            {
                Assert.Equal((turn, "response.completed"), (turn, (string?)through[turn]!["type"]));
                Assert.Equal(Shape(direct[turn]!), Shape(through[turn]!));
            }
            Assert.All(through["others"]!.AsArray(), (turn, number) => Assert.Contains($"turn of lane {number}.", (string?)turn!["text"], StringComparison.Ordinal));
            Assert.Equal("error", (string?)through["lost"]!["type"]);
            Assert.Empty(through["strays"]!.AsArray());
            Assert.Contains($"Anchor: {(string?)through["parent"]!["id"]}", (string?)through[first]!["text"], StringComparison.Ordinal);
            Assert.Contains($"Anchor: {(string?)through[first]!["id"]}", (string?)through[$"{first}On"]!["text"], StringComparison.Ordinal);
            Assert.Equal(lanes ? "response.completed" : "error", (string?)through[second]!["type"]);
        }
    }

    // "You said: the left fork. Items: 1. Anchor: resp_1f.... Context: 3." without the id, and the kinds of its events.
    private static string Shape(JsonNode turn) =>
        $"{ResponseId().Replace((string?)turn["text"] ?? "", "resp")} {string.Join(' ', turn["events"]!.AsArray().Select(one => (string?)one))}";

    [GeneratedRegex("resp_[0-9a-f]+")]
    private static partial Regex ResponseId();

    private static async Task<JsonNode> RunAsync(string baseUrl, string key)
    {
        var clients = await NpmClients.InstallAsync();
        var (exitCode, output) = await NpmClients.RunAsync(clients, TimeSpan.FromSeconds(60), null, "node", "lanes.mjs", baseUrl, key);
        Assert.True(exitCode == 0, output);
        return JsonNode.Parse(output.Split('\n').Last(line => line.StartsWith('{')))!;
    }
}

using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace AppHost.Tests;

/// <summary>Turns as a client asks for them.</summary>
internal static class Turns
{
    /// <summary>Asks for a stored response and returns its id; fails with what was answered instead.</summary>
    public static async Task<string> AskAsync(this HttpClient edge, string text, string? previous = null)
    {
        var body = new JsonObject { ["model"] = "gpt-5.5", ["input"] = text };
        if (previous is not null)
        {
            body["previous_response_id"] = previous;
        }

        using var answer = await edge.PostAsJsonAsync("/v1/responses", body);
        var said = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, said);
        return (string)JsonNode.Parse(said)!["id"]!;
    }
}

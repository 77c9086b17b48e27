using System.Text.Json.Nodes;

namespace Clients.Tests;

/// <summary>The openai npm SDK through the running system.</summary>
[Collection(ClientCollection.Name)]
public sealed class OpenAiNodeTests(ClientSystem system) : IDisposable
{
    public void Dispose() => system.Simulator.ClearScript();

    [NeedsNpmFact]
    public async Task Everything_a_program_does_works_and_every_error_is_the_SDKs_own()
    {
        ScriptedErrors.Script(system.Simulator);
        var clients = await NpmClients.InstallAsync();
        var (exitCode, output) = await NpmClients.RunAsync(
            clients, TimeSpan.FromSeconds(60), null, "node", "sdk.mjs", system.BaseAddress.ToString(), ClientSystem.Key, "cp-wrong-0123456789");
        Assert.True(exitCode == 0, output);
        var seen = JsonNode.Parse(output.Split('\n').Last(line => line.StartsWith('{')))!;

        Assert.Contains("You said: made by node.", (string?)seen["created"]!["text"], StringComparison.Ordinal);
        var events = seen["events"]!.AsArray().Select(entry => (string)entry!).ToList();
        Assert.Equal("response.created", events[0]);
        Assert.Equal("response.completed", events[^1]);
        Assert.Contains((string)seen["created"]!["id"]!, (string?)seen["followed"]!["text"], StringComparison.Ordinal);
        Assert.Equal((string?)seen["created"]!["id"], (string?)seen["retrieved"]);
        Assert.Equal(1, (int)seen["items"]!);
        Assert.NotEmpty(seen["models"]!.AsArray());
        Assert.Contains("in a conversation", (string?)seen["inConversation"], StringComparison.Ordinal);
        Assert.Contains("please fail once", (string?)seen["retried"], StringComparison.Ordinal);

        var errors = seen["errors"]!;
        AssertError(errors["deleted"]!, "NotFoundError", 404, null);
        AssertError(errors["key"]!, "AuthenticationError", 401, "invalid_api_key");
        AssertError(errors["badRequest"]!, "BadRequestError", 400, "previous_response_not_found");
        AssertError(errors["rateLimit"]!, "RateLimitError", 429, "slow_down");
        Assert.Equal("2", (string?)errors["rateLimit"]!["retryAfter"]);
        AssertError(errors["server"]!, "InternalServerError", 500, "server_error");
    }

    private static void AssertError(JsonNode error, string name, int status, string? code)
    {
        Assert.Equal(name, (string?)error["name"]);
        Assert.Equal(status, (int)error["status"]!);
        if (code is not null)
        {
            Assert.Equal(code, (string?)error["code"]);
        }
    }
}

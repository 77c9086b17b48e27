using System.Text.Json.Nodes;

namespace Clients.Tests;

/// <summary>The real Codex CLI with a home of its own.</summary>
public sealed class Codex : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    private readonly string _home = Directory.CreateTempSubdirectory("codex-home-").FullName;

    private Codex(string clients) => Clients = clients;

    public string Clients { get; }

    public static async Task<Codex> CreateAsync(Uri baseAddress, bool overWebSocket, string providerName = "Continuity Proxy")
    {
        var codex = new Codex(await NpmClients.InstallAsync());
        // The README's configuration, but for the tap's port.
        await File.WriteAllTextAsync(Path.Combine(codex._home, "config.toml"), $"""
            model_provider = "continuity"
            model = "gpt-5.5-codex"
            approval_policy = "never"
            sandbox_mode = "danger-full-access"
            check_for_update_on_startup = false
            [analytics]
            enabled = false
            [feedback]
            enabled = false
            [model_providers.continuity]
            name = "{providerName}"
            base_url = "{baseAddress}"
            wire_api = "responses"
            env_key = "CONTINUITY_KEY"
            supports_websockets = {(overWebSocket ? "true" : "false")}
            """);
        return codex;
    }

    public IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string> { ["CODEX_HOME"] = _home, ["CONTINUITY_KEY"] = ClientSystem.Key };

    /// <summary>Where the program is.</summary>
    public string Program => Path.Combine(Clients, "node_modules", ".bin", "codex");

    public Task<string> ExecAsync(string prompt) => RunAsync("exec", "--skip-git-repo-check", "--json", prompt);

    /// <summary>Runs a prompt that must fail within a time; what Codex told its user of it, each once.</summary>
    public async Task<IReadOnlyList<string>> FailAsync(string prompt, TimeSpan limit)
    {
        var (exitCode, output) = await NpmClients.RunAsync(_home, limit, Environment, Program, "exec", "--skip-git-repo-check", "--json", prompt);
        Assert.True(exitCode != 0, output);
        return [.. Events(output)
            .Where(entry => (string?)entry["type"] is "error" or "turn.failed")
            .Select(entry => (string)(entry["message"] ?? entry["error"]!["message"])!)
            .Distinct()];
    }

    public Task<string> ResumeAsync(string prompt) => RunAsync("exec", "resume", "--last", "--skip-git-repo-check", "--json", prompt);

    public void Dispose() => Directory.Delete(_home, recursive: true);

    // The text of the last message; anything that went wrong fails the test with all that was printed.
    private async Task<string> RunAsync(params string[] arguments)
    {
        var (exitCode, output) = await NpmClients.RunAsync(_home, Limit, Environment, Program, arguments);
        Assert.True(exitCode == 0, output);
        var events = Events(output);
        Assert.DoesNotContain(events, entry => (string?)entry["type"] is "error" or "turn.failed");
        return (string)events.Last(entry => (string?)entry["type"] == "item.completed" && (string?)entry["item"]!["type"] == "agent_message")["item"]!["text"]!;
    }

    // {"type":"thread.started","thread_id":".."}, {"type":"item.completed","item":{..}}, {"type":"turn.failed","error":{"message":".."}}: one a line
    private static List<JsonNode> Events(string output) => [.. output.Split('\n').Where(line => line.StartsWith('{')).Select(line => JsonNode.Parse(line)!)];
}

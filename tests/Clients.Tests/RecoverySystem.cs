using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Simulator;
using Testing.Systems;

namespace Clients.Tests;

/// <summary>A whole system over three accounts: two of one organisation, and one of another.</summary>
public sealed class RecoverySystem : IAsyncLifetime
{
    public const string Same = "token-same";
    public const string Twin = "token-twin";
    public const string Other = "token-other";

    private SimulatorServer? _simulator;
    private Gateway? _gateway;

    public SimulatorServer Simulator => _simulator!;

    public Uri BaseAddress => new(_gateway!.BaseAddress, "v1");

    public async Task InitializeAsync()
    {
        _simulator = await SimulatorServer.StartAsync();
        _simulator.Organisation("org-1", Same, Twin);
        _simulator.Organisation("org-2", Other);
        // The first is taken while it can be: what happens then is known.
        var accounts = string.Join(',', Account("same", "org-1", Same, 0), Account("twin", "org-1", Twin, 1), Account("other", "org-2", Other, 2));
        _gateway = await Gateway.StartAsync(new($$"""{"accounts":[{{accounts}}],"apiKeys":[{"name":"clients","key":"{{ClientSystem.Key}}"}]}""")
        {
            Configuration = new Dictionary<string, string> { ["Recovery:DropForeignReasoning"] = "true" },
        });
    }

    /// <summary>All accounts active and whole again, and no script.</summary>
    public async Task ResetAsync()
    {
        Simulator.ClearScript();
        foreach (var name in new[] { "same", "twin", "other" })
        {
            await ChangeAsync(name, """{"state":"active","cooling":false}""");
        }
    }

    /// <summary>Changes an account as an administrator would.</summary>
    public async Task ChangeAsync(string account, string patch)
    {
        using var http = Admin();
        var accounts = (await http.GetFromJsonAsync<JsonObject>("accounts"))!["data"]!.AsArray();
        var id = (string)accounts.Single(entry => (string?)entry!["name"] == account)!["id"]!;
        using var content = new StringContent(patch, System.Text.Encoding.UTF8, "application/json");
        using var answer = await http.PatchAsync($"accounts/{id}", content);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>How many frames asked for a turn with a text in its input, on one account or on all.</summary>
    public int Asked(string text, string? token = null) => Simulator.Recorded.Sockets
        .Where(socket => token is null || socket.Account == token)
        .SelectMany(socket => socket.Received)
        .Count(frame => frame.Type == "response.create" && frame.Text.Contains(text, StringComparison.Ordinal));

    public async Task DisposeAsync()
    {
        if (_gateway is not null)
        {
            await _gateway.DisposeAsync();
        }
        if (_simulator is not null)
        {
            await _simulator.DisposeAsync();
        }
    }

    private string Account(string name, string domain, string token, int priority) => $$"""
        {"name":"{{name}}","baseUrl":"{{Simulator.BaseAddress}}v1","domain":"{{domain}}","credential":{"kind":"bearer","token":"{{token}}"},"webSockets":true,"priority":{{priority}}}
        """.Trim();

    private HttpClient Admin() => new() { BaseAddress = new Uri(_gateway!.BaseAddress, "admin/v1/"), DefaultRequestHeaders = { { "Authorization", "Bearer " + _gateway.AdminToken } } };
}

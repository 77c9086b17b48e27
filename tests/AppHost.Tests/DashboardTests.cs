using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Testing;

namespace AppHost.Tests;

/// <summary>What the orchestrator and the dashboard's own API say of the running system.</summary>
[Collection(RunningAppHostCollection.Name)]
public sealed class DashboardTests(RunningAppHost host)
{
    [Theory]
    [InlineData("postgres")]
    [InlineData("redis")]
    [InlineData("simulator")]
    [InlineData("continuity")]
    [InlineData("accounts")]
    [InlineData("edge-0")]
    [InlineData("edge-1")]
    public async Task A_server_runs_and_is_healthy(string resource)
    {
        await host.HealthyAsync(resource);

        var state = host.StateOf(resource);
        Assert.Equal(("Running", HealthStatus.Healthy, false), (state.State?.Text, state.HealthStatus, state.IsHidden));
        Assert.NotNull(state.IconName);
    }

    [Theory]
    [InlineData("continuity-migrations")]
    [InlineData("accounts-migrations")]
    public void Migrations_that_are_done_are_hidden(string resource)
    {
        var state = host.StateOf(resource);

        Assert.Equal(("Finished", 0, true), (state.State?.Text, state.ExitCode, state.IsHidden));
    }

    [Fact]
    public void An_edge_shows_what_can_be_opened() =>
        Assert.Equal(["API", "Admin API (OpenAPI)", "Health", "Internal API"], host.StateOf("edge-0").Urls.Select(url => url.DisplayProperties.DisplayName).Order(StringComparer.Ordinal));

    [Fact]
    public async Task The_admin_document_opens_without_a_token()
    {
        using var client = host.Client();

        Assert.Contains("Continuity Proxy admin API", await client.GetStringAsync(new Uri("/admin/v1/openapi.json", UriKind.Relative)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_follow_up_is_one_trace_over_the_services_linked_to_the_turn_before()
    {
        using var client = host.Client(key: await host.MakeKeyAsync("traced"));
        var first = await client.AskAsync("Remember the number 42.");
        _ = await client.AskAsync("Which number?", first);

        // Spans arrive in batches, about a second late.
        var spans = await Eventually.GetAsync(SpansAsync, spans => FollowUp(spans) is not null, RunningAppHost.Limit);
        var followUp = FollowUp(spans)!;
        var linked = followUp["links"]!.AsArray().Select(link => (string)link!["traceId"]!);
        var traces = spans.Select(span => (string)span["traceId"]!).ToHashSet();
        Assert.Contains(linked, traces.Contains);
        await Eventually.TrueAsync(async () => (await ServicesOfAsync((string)followUp["traceId"]!)).IsSupersetOf(["edge-0", "accounts", "continuity"]), RunningAppHost.Limit);
    }

    private static JsonNode? FollowUp(IEnumerable<JsonNode> spans) => spans.LastOrDefault(span =>
        ((string)span["name"]!).StartsWith("chat ", StringComparison.Ordinal) && span["links"] is JsonArray { Count: > 0 });

    private async Task<IReadOnlyList<JsonNode>> SpansAsync() =>
    [
        .. from scope in ScopesOf(await GetAsync("spans?resource=edge-0"))
           from span in scope["spans"]!.AsArray()
           select span,
    ];

    private async Task<HashSet<string>> ServicesOfAsync(string trace) =>
    [
        .. from resource in (await GetAsync($"spans?traceId={trace}"))["data"]!["resourceSpans"]!.AsArray()
           from attribute in resource!["resource"]!["attributes"]!.AsArray()
           where (string)attribute!["key"]! == "service.name"
           select (string)attribute["value"]!["stringValue"]!,
    ];

    private static IEnumerable<JsonNode> ScopesOf(JsonNode answer) =>
        from resource in answer["data"]!["resourceSpans"]!.AsArray()
        from scope in resource!["scopeSpans"]!.AsArray()
        select scope;

    private async Task<JsonNode> GetAsync(string path)
    {
        using var http = new HttpClient { BaseAddress = host.Dashboard };
        using var login = await http.PostAsJsonAsync("/api/telemetry/validateToken", new { token = host.BrowserToken });
        var key = (string)(await login.Content.ReadFromJsonAsync<JsonNode>())!["apiKey"]!;
        http.DefaultRequestHeaders.Add("x-api-key", key);
        return (await http.GetFromJsonAsync<JsonNode>($"/api/telemetry/{path}"))!;
    }
}

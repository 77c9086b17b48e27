using System.Net;
using Aspire.Hosting.ApplicationModel;
using Testing;

namespace AppHost.Tests;

/// <summary>The commands that resources have in the dashboard and on the command line.</summary>
[Collection(RunningAppHostCollection.Name)]
public sealed class OperatorCommandTests(RunningAppHost host)
{
    [Fact]
    public async Task A_key_that_was_made_is_shown_and_opens_the_API()
    {
        using var stranger = host.Client(key: "cp-unknown-0123456789");
        using var refused = await stranger.GetAsync(new Uri("/v1/models", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);

        using var client = host.Client(key: await host.MakeKeyAsync("opens"));

        Assert.StartsWith("resp_", await client.AskAsync("Hello"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_is_taken_is_told()
    {
        _ = await host.MakeKeyAsync("twice");

        var again = await host.ExecuteAsync("accounts", "make-api-key", ("name", "twice"));

        Assert.False(again.Success);
        Assert.Contains("already an API key named twice", again.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cool_down_is_cleared_by_the_name_of_the_account()
    {
        var cleared = await host.ExecuteAsync("accounts", "clear-cool-down", ("account", "simulator"));
        var unknown = await host.ExecuteAsync("accounts", "clear-cool-down", ("account", "nobody"));

        Assert.Equal((true, "Account 'simulator' was not cooling."), (cleared.Success, cleared.Message));
        Assert.Equal((false, "There is no account 'nobody'. There are: simulator."), (unknown.Success, unknown.Message));
    }

    [Fact]
    public async Task A_drained_edge_is_not_ready_until_it_is_restarted()
    {
        var drained = await host.ExecuteAsync("edge-1", "drain");
        Assert.True(drained.Success, drained.Message);
        using var client = host.Client(edge: 1);
        await Eventually.TrueAsync(async () => await StatusAsync(client) == HttpStatusCode.ServiceUnavailable);

        var restarted = await host.ExecuteAsync("edge-1", KnownResourceCommands.RestartCommand);

        Assert.True(restarted.Success, restarted.Message);
        await Eventually.TrueAsync(async () => await StatusAsync(client) == HttpStatusCode.OK, RunningAppHost.Limit);
    }

    [Fact]
    public async Task A_reset_leaves_nothing_but_what_the_seed_names()
    {
        var key = await host.MakeKeyAsync("lost");
        using var client = host.Client(key: key);
        _ = await client.AskAsync("Hello");

        var reset = await host.ExecuteAsync("postgres", "reset-data");
        Assert.True(reset.Success, reset.Message);

        await host.HealthyAsync("edge-0");
        await Eventually.TrueAsync(async () => await StatusAsync(client, "/v1/models") == HttpStatusCode.Unauthorized, RunningAppHost.Limit);
        using var anew = host.Client(key: await host.MakeKeyAsync("lost"));
        _ = await anew.AskAsync("Hello again");
    }

    private static async Task<HttpStatusCode?> StatusAsync(HttpClient client, string path = "/health")
    {
        try
        {
            using var answer = await client.GetAsync(new Uri(path, UriKind.Relative));
            return answer.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}

using System.Net.WebSockets;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Tests.Fixture;
using Proxy.Edge.Tests.Http;
using Simulator.Scripts;
using Testing;

namespace Proxy.Edge.Tests.Callers;

/// <summary>A key that is revoked, expires or is narrowed while something runs in its name.</summary>
public sealed class KeyEndTests
{
    private static readonly Func<string, KeyGrant?> Revoked = id => id == "key-1" ? null : new KeyGrant(id, ["*"], ["*"]);
    private static readonly Func<string, KeyGrant?> OfAnotherModel = id => new KeyGrant(id, ["o3"], ["*"]);
    private static readonly Func<string, KeyGrant?> OfAnotherAccount = id => new KeyGrant(id, ["*"], ["b"]);

    public static TheoryData<string> Ends => ["revoked", "model", "account"];

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task A_turn_over_HTTP_ends_with_its_key(string how)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Delta(2))));
        using var response = await edge.PostAsync(RunningEdge.Body());
        await Eventually.TrueAsync(() => edge.Sim.Account("a").InFlight == 1);
        edge.Accounts.OnGrant = By(how);
        var body = await response.Content.ReadAsStringAsync().WaitAsync(EdgeSocket.Limit);
        Assert.Contains("response.failed", body, StringComparison.Ordinal);
        Assert.Contains("invalid_api_key", body, StringComparison.Ordinal);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task A_turn_that_has_not_begun_is_answered_401()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls()));
        var asking = edge.PostAsync(RunningEdge.Body(stream: false));
        await Eventually.TrueAsync(() => edge.Sim.Account("a").InFlight == 1);
        edge.Accounts.OnGrant = Revoked;
        using var response = await asking.WaitAsync(EdgeSocket.Limit);
        Assert.Equal((401, "invalid_api_key"), ((int)response.StatusCode, AnswerTests.Code(await response.Content.ReadAsStringAsync())));
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Theory]
    [InlineData("revoked")]
    [InlineData("account")]
    public async Task A_socket_ends_with_its_key_and_what_runs_on_it(string how)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Stalls(Position.Delta(2))));
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync();
        await socket.UntilAsync("response.created");
        edge.Accounts.OnGrant = By(how);
        var failed = await socket.UntilAsync("response.failed");
        Assert.Equal("invalid_api_key", (string?)failed["response"]!["error"]!["code"]);
        Assert.Null(await socket.ReceiveAsync());
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, socket.Raw.CloseStatus);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    [Fact]
    public async Task A_turn_of_a_model_that_was_taken_away_ends_and_its_socket_stays()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Stalls(Position.Delta(2))));
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync();
        edge.Accounts.OnGrant = OfAnotherModel;
        await socket.UntilAsync("response.failed");
        edge.Accounts.OnGrant = id => new KeyGrant(id, ["*"], ["*"]);
        Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
    }

    [Fact]
    public async Task An_idle_socket_ends_with_its_key_and_nothing_more_of_it_goes_upstream()
    {
        await using var edge = await RunningEdge.StartAsync();
        using var socket = await edge.ConnectAsync();
        using var other = await edge.ConnectAsync("sk-2");
        await socket.TurnAsync();
        edge.Accounts.OnGrant = Revoked;
        // A client that does not answer the goodbye, and goes on.
        var frames = edge.FramesAt("a").Count;
        await Eventually.TrueAsync(() => edge.Log.Entries.Any(entry => entry.Text.Contains("API key key-1", StringComparison.Ordinal)));
        await SendOnAsync(socket).WaitAsync(EdgeSocket.Limit);
        Assert.Equal(frames, edge.FramesAt("a").Count);
        await Eventually.TrueAsync(() => edge.Sim.Account("a").OpenSockets == 1);
        // Another key's is not touched.
        Assert.Equal("response.completed", (string?)(await other.TurnAsync())["type"]);
    }

    [Fact]
    public async Task A_stream_that_passes_through_ends_with_its_key()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnRequest().Stalls()));
        var asking = edge.PostAsync("""{"model":"gpt-5.6"}""", "/v1/chat/completions");
        await Eventually.TrueAsync(() => edge.Sim.Recorded.All.Count == 1);
        edge.Accounts.OnGrant = Revoked;
        using var response = await asking.WaitAsync(EdgeSocket.Limit);
        Assert.Equal((401, "invalid_api_key"), ((int)response.StatusCode, AnswerTests.Code(await response.Content.ReadAsStringAsync())));
    }

    [Fact]
    public async Task While_nobody_can_be_asked_nothing_ends()
    {
        await using var edge = await RunningEdge.StartAsync();
        using var socket = await edge.ConnectAsync();
        await socket.TurnAsync();
        edge.Accounts.IsAway = true;
        await Eventually.TrueAsync(() => edge.Accounts.GrantsMissed > 0);
        edge.Accounts.IsAway = false;
        Assert.Equal("response.completed", (string?)(await socket.TurnAsync())["type"]);
    }

    private static async Task SendOnAsync(EdgeSocket socket)
    {
        try
        {
            while (true)
            {
                await socket.CreateAsync();
                await socket.SendAsync("""{"type":"response.cancel"}""");
            }
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException)
        {
            // It was closed.
        }
    }

    private static Func<string, KeyGrant?> By(string how) => how switch
    {
        "revoked" => Revoked,
        "model" => OfAnotherModel,
        _ => OfAnotherAccount,
    };
}

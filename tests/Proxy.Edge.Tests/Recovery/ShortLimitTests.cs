using System.Text.Json.Nodes;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>A limit that is whole again within <c>Edge:AdmissionWaitSeconds</c> is waited for: clients that are told of it may take it for the end.</summary>
public sealed class ShortLimitTests
{
    private static readonly (string Name, string Value) Soon = ("retry-after", "1");

    [Theory]
    [InlineData("status", true)]
    [InlineData("status", false)]
    [InlineData("failed", true)]
    public async Task Over_http_the_only_account_is_waited_for(string shape, bool stream)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Accounts.MarksCool = true;
            edge.Sim.Script(rule => rule.Once().RejectsOverHttp(shape, 429, "rate_limit_exceeded", "Please try again in 1s.", Soon));
        });
        using var response = await edge.PostAsync(Asking.HttpBody(Asking.Frame(), stream));
        Assert.Equal(200, (int)response.StatusCode);
        Assert.Contains("You said: hello.", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(2, edge.BodiesAt("a").Count);
        await edge.NothingIsLeftAsync(turns: 1);
        Assert.Equal("owner=none; replays=1; reason=rate_limit_exceeded", (await edge.RowAsync()).Continuity);
    }

    [Theory]
    [InlineData("frame")]
    [InlineData("upgrade")]
    public async Task On_a_socket_too(string where)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Accounts.MarksCool = true;
            edge.Sim.Script(rule => _ = (where == "upgrade" ? rule.OnUpgrade().Times(2) : rule.Once()).Refuses(429, "rate_limit_exceeded", "Slow down.", Soon));
        });
        using (var socket = await edge.ConnectAsync(headers: Asking.Codex))
        {
            Assert.Equal(101, socket.Status);
            Told.Completed(await socket.AskAsync(Asking.Frame()));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    [Theory]
    [InlineData("frame")]
    [InlineData("upgrade")]
    public async Task On_a_session_too(string where)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Accounts.MarksCool = true;
            edge.Sim.Script(rule => _ = (where == "upgrade" ? rule.OnUpgrade() : rule).Once().Refuses(429, "rate_limit_exceeded", "Slow down.", Soon));
        });
        (await edge.CarryAsync()).Completed();
        await edge.QuietAsync(turns: 1);
    }

    // Whoever comes while the account cools down is held, and given keep-alives, instead of being told that all is over.
    [Theory]
    [InlineData(false, "http")]
    [InlineData(true, "http")]
    [InlineData(false, "socket")]
    [InlineData(true, "socket")]
    public async Task A_turn_that_comes_meanwhile_is_held(bool followUp, string surface)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Continuity.Own("resp_1", "a");
            edge.Sim.Script(rule => rule.Answer(answer => answer with { Unchecked = true }));
        }, "Edge:KeepAliveSeconds=0.2", "Edge:AdmissionWaitSeconds=30");
        var reason = followUp ? RefusalReason.OwnerCooling : RefusalReason.AllCooling;
        edge.Accounts.OnAdmit = request => Task.FromResult<AdmissionResponse?>(request.Purpose == AdmissionPurpose.Request
            ? edge.Accounts.Admit(request)
            : FakeAccounts.Refuse(reason, TimeProvider.System.GetUtcNow() + TimeSpan.FromMilliseconds(300)));
        void IsBack() => edge.Accounts.OnAdmit = request => Task.FromResult<AdmissionResponse?>(edge.Accounts.Admit(request));
        var frame = Asking.Frame(anchor: followUp ? "resp_1" : null);
        if (surface == "socket")
        {
            using var socket = await edge.ConnectAsync(headers: Asking.Codex);
            await socket.SendAsync(frame);
            Assert.Equal("keepalive", JsonNode.Parse((await socket.ReceiveAsync())!)!.Type());
            IsBack();
            Assert.Equal("response.completed", JsonNode.Parse((await socket.UntilTerminalAsync())[^1])!.Type());
        }
        else
        {
            using var response = await edge.PostAsync(Asking.HttpBody(frame));
            Assert.Equal(200, (int)response.StatusCode);
            using var events = new StreamReader(await response.Content.ReadAsStreamAsync());
            Assert.Equal(": keep-alive", await events.ReadLineAsync());
            IsBack();
            Assert.Contains("You said: hello.", await events.ReadToEndAsync(), StringComparison.Ordinal);
        }
        await edge.NothingIsLeftAsync(turns: 1);
    }

    // The first of several that is back is the one that is worth waiting for.
    [Fact]
    public async Task Another_account_that_is_back_sooner_is_waited_for()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("b");
            edge.Accounts.MarksCool = true;
            edge.Accounts.Cool("b", TimeProvider.System.GetUtcNow() + TimeSpan.FromSeconds(2));
            edge.Sim.Script(rule => rule.Account("a").Refuses(429, "usage_limit_reached", "Limit.", ("retry-after", "3600")));
        });
        Assert.Equal(200, (await edge.TurnAsync()).Status);
        Assert.Equal((1, 1), (edge.BodiesAt("a").Count, edge.BodiesAt("b").Count));
        await edge.NothingIsLeftAsync(turns: 1, "a", "b");
    }

    [Theory]
    [InlineData("20", false)]
    [InlineData("3600", false)]
    [InlineData("20", true)]
    public async Task What_takes_longer_is_told(string seconds, bool session)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Once().Refuses(429, "rate_limit_exceeded", "Slow down.", ("retry-after", seconds))));
        using var response = await edge.PostAsync(Asking.HttpBody(Asking.Frame(store: !session)), headers: session ? [Bridged.Thread] : []);
        Assert.Equal((429, seconds), ((int)response.StatusCode, Assert.Single(response.Headers.GetValues("retry-after"))));
        Assert.Equal("Slow down.", JsonNode.Parse(await response.Content.ReadAsStringAsync())!.Message());
    }

    [Fact]
    public async Task A_limit_that_is_not_whole_again_is_waited_for_once()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Refuses(429, "rate_limit_exceeded", "Slow down.", Soon)));
        Assert.Equal(429, (await edge.TurnAsync()).Status);
        Assert.Equal(2, edge.BodiesAt("a").Count);
        await edge.NothingIsLeftAsync(turns: 1);
    }

    // The client is told that it is the model's: Codex takes the account's own limit for the end.
    [Fact]
    public async Task A_models_limit_is_told_as_one()
    {
        await using var edge = await RunningEdge.StartAsync();
        edge.Accounts.OnAdmit = _ => Task.FromResult<AdmissionResponse?>(
            new AdmissionResponse(null, new AdmissionRefusal(RefusalReason.AllCooling, TimeProvider.System.GetUtcNow() + TimeSpan.FromSeconds(40), OfModel: true)));
        using var response = await edge.PostAsync(RunningEdge.Body());
        Assert.Equal(429, (int)response.StatusCode);
        Assert.Equal("rate_limit_exceeded", JsonNode.Parse(await response.Content.ReadAsStringAsync())!.Code());
        Assert.True(response.Headers.Contains("retry-after"));
    }
}

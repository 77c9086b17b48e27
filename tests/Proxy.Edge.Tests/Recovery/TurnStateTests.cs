using Proxy.Edge.Tests.Fixture;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>What upstream of one domain gave a client to send along goes to no account of another.</summary>
public sealed class TurnStateTests
{
    private const string Header = "x-codex-turn-state";

    [Theory]
    [InlineData("b", null, false)]
    [InlineData("b", "org", true)]
    [InlineData("a", null, true)]
    public async Task Over_HTTP_the_header_goes_where_it_came_from(string next, string? domain, bool kept)
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Add("a", domain: domain);
            edge.Sim.Script(rule => rule.Once().Answer(answer => answer with { TurnState = "state-of-a" }));
        });
        using (var first = await edge.PostAsync(RunningEdge.Body(), headers: ("thread-id", "t")))
        {
            Assert.Equal("state-of-a", Assert.Single(first.Headers.GetValues(Header)));
            await first.Content.ReadAsStringAsync();
        }
        await KnownAsync(edge);
        if (next == "b")
        {
            edge.Add("b", domain: domain);
            edge.Accounts.Remove("a");
        }
        Assert.Equal(200, (await edge.AskAsync(RunningEdge.Body(), ("thread-id", "t"), (Header, "state-of-a"), ("x-other", "stays"))).Status);
        var seen = edge.Sim.Recorded.Of(next).Last();
        Assert.Equal((kept ? "state-of-a" : null, "stays"), (seen.Header(Header), seen.Header("x-other")));
        await edge.NothingIsLeftAsync(turns: 2, "a", "b");
    }

    // A client's own invention, or what was given long ago: nobody knows better.
    [Fact]
    public async Task A_state_that_nobody_has_given_passes()
    {
        await using var edge = await RunningEdge.StartAsync();
        var frame = Asking.Frame(more: $",\"client_metadata\":{{\"{Header}\":\"unknown\"}}");
        Assert.Equal(200, (await edge.AskAsync(RunningEdge.Body(), (Header, "unknown"))).Status);
        using (var socket = await edge.ConnectAsync())
        {
            Told.Completed(await socket.AskAsync(frame));
        }
        Assert.Equal("unknown", edge.Sim.Recorded.Turns.Single().Header(Header));
        Assert.Equal([frame], edge.FramesAt("a"));
        await edge.NothingIsLeftAsync(turns: 2);
    }

    // On a socket it comes as an event and goes back in the frame's client_metadata.
    [Theory]
    [InlineData("{\"STATE\":\"state-of-a\",\"session_id\":\"s\"}", "{\"session_id\":\"s\"}")]
    [InlineData("{\"session_id\":\"s\",\"STATE\":\"state-of-a\"}", "{\"session_id\":\"s\"}")]
    [InlineData("{ \"x\" : 1e5 , \"STATE\" : \"state-of-a\" , \"session_id\" : \"s\" }", null)]
    [InlineData("{\"STATE\":\"state-of-a\"}", "{}")]
    public async Task In_a_frame_only_its_key_is_taken_out(string metadata, string? expected)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OverWebSocket().Once().Answer(answer => answer with { TurnState = "state-of-a" })));
        using (var socket = await edge.ConnectAsAsync(codex: true))
        {
            var events = await socket.AskAsync(Asking.Frame());
            Assert.Contains(events, one => one.Type() == "response.metadata");
        }
        await KnownAsync(edge);
        edge.Add("b");
        edge.Accounts.Remove("a");
        using (var socket = await edge.ConnectAsAsync(codex: true))
        {
            var sent = metadata.Replace("STATE", Header, StringComparison.Ordinal);
            // The text that looks like the key stays.
            var before = Asking.Frame($" {{ \\\"{Header}\\\" ")[..^1] + ",\"client_metadata\":";
            const string after = ",\"x\":[1e5, \"ü\" ]}";
            Told.Completed(await socket.AskAsync(before + sent + after));
            var got = Assert.Single(edge.FramesAt("b"));
            Assert.DoesNotContain("state-of-a", got, StringComparison.Ordinal);
            if (expected is not null)
            {
                Assert.Equal(before + expected + after, got);
            }
            else
            {
                Assert.StartsWith(before, got, StringComparison.Ordinal);
                Assert.EndsWith(after, got, StringComparison.Ordinal);
                Assert.Contains("\"x\" : 1e5", got, StringComparison.Ordinal);
                Assert.Contains("\"session_id\" : \"s\"", got, StringComparison.Ordinal);
                using var json = System.Text.Json.JsonDocument.Parse(got);
                Assert.Equal(2, json.RootElement.GetProperty("client_metadata").EnumerateObject().Count());
            }
        }
        await edge.NothingIsLeftAsync(turns: 2, "a", "b");
    }

    // The frame that goes to the other account is the same but for the state of the first.
    [Fact]
    public async Task A_replay_does_not_carry_it_along()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Sim.Script(rule => rule.OverWebSocket().Once().Answer(answer => answer with { TurnState = "state-of-a" }));
            edge.Sim.Script(rule => rule.Account("a").When(when => when with { Contains = "moves" }).Errors(429, "usage_limit_reached"));
        });
        using (var socket = await edge.ConnectAsAsync(codex: true))
        {
            await socket.AskAsync(Asking.Frame());
            await KnownAsync(edge);
            edge.Add("b");
            var frame = Asking.Frame("moves", more: $",\"client_metadata\":{{\"{Header}\":\"state-of-a\",\"thread_id\":\"t\"}}");
            Told.Completed(await socket.AskAsync(frame));
            Assert.Equal(frame, edge.FramesAt("a")[^1]);
            Assert.Equal([frame.Replace($"\"{Header}\":\"state-of-a\",", "", StringComparison.Ordinal)], edge.FramesAt("b"));
            await socket.StillWorksAsync();
        }
        await edge.NothingIsLeftAsync(turns: 3, "a", "b");
    }

    // The 101's header: a later connection of the client shows it to upstream.
    [Fact]
    public async Task A_handshake_carries_it_to_its_own_domain_only()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.OnUpgrade().Once().Answer(answer => answer with
        {
            Headers = new Dictionary<string, string> { [Header] = "state-of-a" },
        })));
        using (var socket = await edge.ConnectAsync())
        {
            Assert.Equal("state-of-a", socket.Header(Header));
            await socket.StillWorksAsync();
        }
        await KnownAsync(edge);
        using (var socket = await edge.ConnectAsync(headers: (Header, "state-of-a")))
        {
            await socket.StillWorksAsync();
        }
        Assert.Equal("state-of-a", edge.Sim.Recorded.Of("a").Last(one => one.IsWebSocket).Header(Header));
        edge.Add("b");
        edge.Accounts.Remove("a");
        using (var socket = await edge.ConnectAsync(headers: (Header, "state-of-a")))
        {
            await socket.StillWorksAsync();
        }
        Assert.All(edge.Sim.Recorded.Of("b"), one => Assert.Null(one.Header(Header)));
        await edge.NothingIsLeftAsync(turns: 3, "a", "b");
    }

    /// <summary>Other edges know it too.</summary>
    private static Task KnownAsync(RunningEdge edge) =>
        Eventually.TrueAsync(() => edge.Continuity.Published.Any(published => published.Id.Kind == "turn_state"));
}

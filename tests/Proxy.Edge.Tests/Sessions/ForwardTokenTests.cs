using System.Net;
using System.Text;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>What one edge takes from another, and what it does not. Nothing that is refused reaches upstream.</summary>
public sealed class ForwardTokenTests
{
    private const string Token = "x-continuity-forward";

    public static TheoryData<string> Alterations => ["body", "longer body", "query", "no token", "empty", "garbage", "first character", "last character", "each part", "two tokens"];

    [Fact]
    public async Task A_turn_as_it_was_sent_is_served_once()
    {
        await using var edges = await Edges.StartAsync();
        var captured = await edges.CaptureAsync();
        var (status, body) = await captured.SendToAsync(edges.Holder);
        Assert.Equal(200, status);
        Assert.Contains("You said: captured.", body, StringComparison.Ordinal);
        Assert.Equal(2, edges.Origin.FramesAt("a").Count);
        // And not again.
        (status, body) = await captured.SendToAsync(edges.Holder);
        Assert.InRange(status, 400, 499);
        Assert.DoesNotContain("captured", body, StringComparison.Ordinal);
        await edges.NothingMoreAsync(frames: 2, rows: 2);
    }

    [Theory]
    [MemberData(nameof(Alterations))]
    public async Task What_was_altered_is_refused(string what)
    {
        await using var edges = await Edges.StartAsync();
        var captured = await edges.CaptureAsync();
        foreach (var altered in Altered(captured, what))
        {
            var (status, _) = await altered.SendToAsync(edges.Holder);
            Assert.InRange(status, 400, 499);
        }
        await edges.NothingMoreAsync(frames: 1, rows: 1);
        // It was all that was wrong.
        Assert.Equal(200, (await captured.SendToAsync(edges.Holder)).Status);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("PUT")]
    public async Task Another_method_is_refused(string method)
    {
        await using var edges = await Edges.StartAsync();
        var captured = await edges.CaptureAsync();
        Assert.InRange((await (captured with { Method = method }).SendToAsync(edges.Holder)).Status, 400, 499);
        await edges.NothingMoreAsync(frames: 1, rows: 1);
    }

    [Theory]
    [InlineData("/v1/responses")]
    [InlineData("/internal/sessions/probe")]
    [InlineData("/internal/drain")]
    public async Task It_opens_no_other_door(string path)
    {
        await using var edges = await Edges.StartAsync();
        var captured = await edges.CaptureAsync();
        Assert.InRange((await (captured with { Path = path, Headers = [.. captured.Headers.Where(header => header.Key != "x-internal-token")] }).SendToAsync(edges.Holder)).Status, 400, 499);
        await edges.NothingMoreAsync(frames: 1, rows: 1);
        Assert.Equal(HttpStatusCode.OK, (await edges.Holder.Http.GetAsync("/health")).StatusCode);
    }

    [Theory]
    [InlineData(31, false)]
    [InlineData(3600, false)]
    [InlineData(-31, false)]
    [InlineData(20, true)]
    [InlineData(-20, true)]
    public async Task It_is_good_for_half_a_minute(int seconds, bool isGood)
    {
        await using var edges = await Edges.StartAsync(TimeSpan.FromSeconds(seconds));
        var captured = await edges.CaptureAsync();
        var (status, _) = await captured.SendToAsync(edges.Holder);
        if (isGood)
        {
            Assert.Equal(200, status);
            return;
        }
        Assert.InRange(status, 400, 499);
        await edges.NothingMoreAsync(frames: 1, rows: 1);
    }

    // Of one system, and yet not for this edge.
    [Fact]
    public async Task Another_edge_than_the_one_it_is_for_refuses_it()
    {
        await using var edges = await Edges.StartAsync();
        var captured = await edges.CaptureAsync();
        await using var third = await edges.Origin.StartAnotherAsync();
        Assert.Equal(401, (await captured.SendToAsync(third)).Status);
        await edges.NothingMoreAsync(frames: 1, rows: 1);
        Assert.DoesNotContain(edges.Origin.Continuity.Sessions.Claimed, claim => claim.Address.TrimEnd('/') == third.Origin);
    }

    // It sends the turn nowhere else.
    [Fact]
    public async Task An_edge_that_does_not_hold_the_session_says_so()
    {
        await using var tap = await Tap.StartAsync();
        await using var origin = await RunningEdge.StartAsync(null, "Sessions:ProbeMs=10000");
        await using var holder = tap.Edge = await origin.StartAnotherAsync($"Edge:AdvertisedAddress={tap.Address}");
        await holder.LocalAnchorAsync();
        // By the time the turn comes, somebody else answers at the holder's address.
        await using var third = await origin.StartAnotherAsync($"Edge:AdvertisedAddress={tap.Address}");
        tap.TurnsGo = third;
        Assert.Equal(200, (await origin.CarryAsync("captured")).Status);
        Assert.Single(tap.SeenTurns);
        Assert.DoesNotContain(third.Log.Entries, entry => entry.Text.Contains("captured", StringComparison.Ordinal));
    }

    private static IEnumerable<Tapped> Altered(Tapped captured, string what)
    {
        var token = captured.Header(Token)!;
        return what switch
        {
            "body" => [captured with { Body = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(captured.Body).Replace("captured", "altered!", StringComparison.Ordinal)) }],
            "longer body" => [captured with { Body = [.. captured.Body, (byte)' '] }],
            "query" => [captured with { Path = captured.Path + "?x=1" }],
            "no token" => [WithToken(null)],
            "empty" => [WithToken("")],
            "garbage" => [WithToken("."), WithToken("......"), WithToken("a.b.c.d.e.f.g"), WithToken(new string('.', 10_000)), WithToken("1764090000123.x.x.x.x.x.ü")],
            "first character" => [WithToken((token[0] == '9' ? '8' : (char)(token[0] + 1)) + token[1..])],
            "last character" => [WithToken(token[..^1] + (token[^1] == '0' ? '1' : '0')), WithToken(token[..^1]), WithToken(token + "0")],
            // Whatever is said in it, is signed.
            "each part" => token.Split('.').Select((part, index) => WithToken(string.Join('.', token.Split('.').Select((other, place) => place == index ? Changed(other) : other)))),
            "two tokens" => [captured with { Headers = [.. captured.Headers, KeyValuePair.Create(Token, "1.2.3.4.5.6.7")] }],
            _ => throw new ArgumentOutOfRangeException(nameof(what), what, null),
        };

        Tapped WithToken(string? other) => captured with
        {
            Headers = [.. captured.Headers.Where(header => !header.Key.Equals(Token, StringComparison.OrdinalIgnoreCase)), .. other is null ? Array.Empty<KeyValuePair<string, string>>() : [KeyValuePair.Create(Token, other)]],
        };
    }

    // Of the same form: digits stay digits.
    private static string Changed(string part)
    {
        var at = part.Length / 2;
        return part[..at] + (part[at] == '1' ? '2' : '1') + part[(at + 1)..];
    }

    /// <summary>An edge, another one that holds a session, and who listens in between.</summary>
    private sealed class Edges(Tap tap, RunningEdge origin, RunningEdge holder) : IAsyncDisposable
    {
        public RunningEdge Origin => origin;

        public RunningEdge Holder => holder;

        public static async Task<Edges> StartAsync(TimeSpan shift = default)
        {
            var tap = await Tap.StartAsync();
            // However busy the machine is: the other edge is there.
            var origin = await RunningEdge.StartAsync(null, "Sessions:ProbeMs=10000");
            tap.Edge = await origin.StartAnotherAsync(new Shifted(shift), $"Edge:AdvertisedAddress={tap.Address}");
            await tap.Edge.LocalAnchorAsync();
            return new Edges(tap, origin, tap.Edge);
        }

        /// <summary>A turn as one edge sends it to the other, which has not got it.</summary>
        public async Task<Tapped> CaptureAsync()
        {
            tap.TurnsGet = HttpStatusCode.BadGateway;
            Assert.Equal(502, (await origin.CarryAsync("captured")).Status);
            tap.TurnsGet = null;
            return Assert.Single(tap.SeenTurns);
        }

        public async Task NothingMoreAsync(int frames, int rows)
        {
            await origin.QuietAsync(rows);
            Assert.Equal((frames, 0, 1), (origin.FramesAt("a").Count, origin.BodiesAt("a").Count, origin.HandshakesAt("a")));
        }

        public async ValueTask DisposeAsync()
        {
            await holder.DisposeAsync();
            await origin.DisposeAsync();
            await tap.DisposeAsync();
        }

        private sealed class Shifted(TimeSpan by) : TimeProvider
        {
            public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + by;
        }
    }
}

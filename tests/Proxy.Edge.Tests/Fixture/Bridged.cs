using System.Net;
using System.Text.Json.Nodes;
using Proxy.Continuity.Contracts;
using Testing;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>Turns over HTTP that a session carries, and what is seen of them on all sides.</summary>
internal static class Bridged
{
    /// <summary>The scope of most tests, and its session.</summary>
    public static readonly (string Name, string Value) Thread = ("thread-id", "t");
    public static readonly string Session = FakeSessions.NameOf("thread:t");

    /// <summary>Another conversation of the same client.</summary>
    public static readonly (string Name, string Value) OtherThread = ("thread-id", "u");
    public static readonly string OtherSession = FakeSessions.NameOf("thread:u");

    // Longer than any turn of a test takes, whatever it waits for.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(40);

    public static string Body(string input = "hello", string? anchor = null, bool stream = true, bool store = false, string more = "") =>
        Asking.HttpBody(Asking.Frame(input, store: store, anchor: anchor, more: more), stream);

    /// <summary>What upstream gets of a body.</summary>
    public static string FrameOf(string body) => "{\"type\":\"response.create\"," + body[1..];

    /// <summary>A turn to its end; in the conversation of most tests unless others are named.</summary>
    public static async Task<Answer> CarryAsync(
        this RunningEdge edge, string input = "hello", string? anchor = null, bool stream = true, string more = "", params (string Name, string Value)[] headers) =>
        await edge.SendAsync(Body(input, anchor, stream, more: more), headers: headers.Length > 0 ? headers : [Thread]);

    /// <summary>A body to its end.</summary>
    public static async Task<Answer> SendAsync(this RunningEdge edge, string body, CancellationToken cancellationToken = default, params (string Name, string Value)[] headers)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        using var response = await edge.PostAsync(body, cancellationToken: limit.Token, headers: headers);
        var text = await response.Content.ReadAsStringAsync(limit.Token);
        var all = response.Headers.Concat(response.Content.Headers).ToDictionary(header => header.Key, header => string.Join(',', header.Value), StringComparer.OrdinalIgnoreCase);
        return new Answer(response.StatusCode, text, all);
    }

    /// <summary>Completes a turn and returns its response id: an anchor that lives on a session's socket.</summary>
    public static async Task<string> LocalAnchorAsync(this RunningEdge edge, params (string Name, string Value)[] headers)
    {
        var answer = await edge.CarryAsync("first", headers: headers);
        answer.Completed();
        return answer.Id;
    }

    /// <summary>Completes a turn over plain HTTP and returns its response id: an anchor that upstream keeps.</summary>
    public static async Task<string> StoredAnchorAsync(this RunningEdge edge)
    {
        var (status, body) = await edge.AskAsync(Asking.HttpBody(Asking.Frame("stored")));
        Assert.Equal(200, status);
        return Sse.Read(body)[^1].Id()!;
    }

    /// <summary>Whatever became of the last turn: the next one of its conversation succeeds, with an answer of its own.</summary>
    public static async Task GoesOnAsync(this RunningEdge edge, params (string Name, string Value)[] headers)
    {
        var answer = await edge.CarryAsync("still there", headers: headers);
        answer.Completed();
        Assert.Contains("You said: still there.", answer.Body, StringComparison.Ordinal);
        Assert.Contains("Anchor: none.", answer.Body, StringComparison.Ordinal);
    }

    /// <summary>Waits until every turn is logged once and settled and its slot is free. Idle sockets of sessions may stay.</summary>
    public static async Task<IReadOnlyList<RequestLogRow>> QuietAsync(this RunningEdge edge, int turns)
    {
        await Eventually.TrueAsync(() => edge.Leases.Count == 0 && edge.Accounts.Slots == 0);
        await Eventually.TrueAsync(() => edge.Continuity.Rows.DistinctBy(row => row.Id).Count() >= turns);
        // What was not acknowledged in time is sent again, as it was.
        var rows = edge.Continuity.Rows.Distinct().OrderBy(row => row.RequestedAt).ToList();
        Assert.Equal(turns, rows.Count);
        Assert.Equal(turns, rows.DistinctBy(row => row.Id).Count());
        var served = rows.Count(row => row.AccountId is not null);
        await Eventually.TrueAsync(() => edge.Accounts.Settled.DistinctBy(turn => turn.TurnId).Count() >= served);
        Assert.Equal(served, edge.Accounts.Settled.Distinct().Count());
        Assert.Equal(served, edge.Accounts.Settled.DistinctBy(turn => turn.TurnId).Count());
        Assert.Empty(edge.Accounts.MovedWrongly);
        return rows;
    }

    /// <summary>Sockets of an account that upstream sees open.</summary>
    public static int OpenAt(this RunningEdge edge, string token) => edge.Sim.Account(token).OpenSockets;

    /// <summary>All handshakes that an account has seen.</summary>
    public static int HandshakesAt(this RunningEdge edge, string token) => edge.Sim.Recorded.Of(token).Count(exchange => exchange.IsWebSocket);

    /// <summary>Time for what was sent before to have got to where it waits: turns of nobody's conversation, one after the other.</summary>
    public static async Task MeanwhileAsync(this RunningEdge edge)
    {
        for (var turn = 0; turn < Pauses; turn++)
        {
            Assert.Equal(200, (await edge.AskAsync(Asking.HttpBody(Asking.Frame("meanwhile")))).Status);
        }
    }

    /// <summary>How many turns <see cref="MeanwhileAsync"/> takes.</summary>
    public const int Pauses = 3;

    /// <summary>An answer of the edge, whole.</summary>
    internal sealed record Answer(HttpStatusCode Code, string Body, IReadOnlyDictionary<string, string> Headers)
    {
        public int Status => (int)Code;

        public IReadOnlyList<JsonNode> Events => Sse.Read(Body);

        /// <summary>The response of the last event, or of a body that is one.</summary>
        public string Id => Body.StartsWith('{') ? (string)JsonNode.Parse(Body)!["id"]! : Events[^1].Id()!;

        public string? Header(string name) => Headers.GetValueOrDefault(name);

        /// <summary>A whole response, streamed or not.</summary>
        public void Completed()
        {
            Assert.True(Code == HttpStatusCode.OK, $"{Status}: {Body}");
            if (Body.StartsWith('{'))
            {
                Assert.Equal("completed", (string?)JsonNode.Parse(Body)!["status"]);
                return;
            }
            var ofTheResponse = Events.Where(one => one["sequence_number"] is not null).ToList();
            Told.Completed(ofTheResponse);
        }

        /// <summary>An error before anything of the response.</summary>
        public JsonNode Refused(int status, string code)
        {
            Assert.True(Status == status, $"{Status}: {Body}");
            var error = JsonNode.Parse(Body)!;
            Assert.Equal(code, error.Code());
            return error;
        }

        /// <summary>The client is to rebuild from its history.</summary>
        public void Canonical(string anchor)
        {
            var error = Refused(400, "previous_response_not_found");
            Assert.Equal(("previous_response_id", "invalid_request_error"), ((string?)error.Error()!["param"], (string?)error.Error()!["type"]));
            Assert.Contains(anchor, error.Message(), StringComparison.Ordinal);
        }

        /// <summary>The client is to try again; nothing says that its anchor is lost.</summary>
        public void Masked()
        {
            Assert.DoesNotContain("not_found", Body, StringComparison.Ordinal);
            Assert.DoesNotContain("not found", Body, StringComparison.Ordinal);
            if (Status == 200)
            {
                Failed("stream_incomplete");
                return;
            }
            Refused(502, "stream_incomplete");
        }

        /// <summary>A stream that had begun ends as its own response's failure.</summary>
        public void Failed(string code)
        {
            Assert.True(Status == 200, $"{Status}: {Body}");
            Assert.Equal(code, Events[^1].Code());
            Told.Failed(Events, code, 0);
        }
    }
}

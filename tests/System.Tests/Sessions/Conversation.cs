using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Testing.Processes;

namespace WholeSystem.Sessions;

/// <summary>What has happened to conversations besides going well.</summary>
public sealed class Incidents
{
    private readonly ConcurrentQueue<(int Edge, TimeSpan Elapsed)> _notFound = new();
    private int _retried;

    /// <summary>Follow-ups that were told that their anchor is dead: by which edge, and how long that took.</summary>
    public IReadOnlyCollection<(int Edge, TimeSpan Elapsed)> NotFound => _notFound;

    /// <summary>Turns whose edge died, froze or asked to come back.</summary>
    public int Retried => _retried;

    public void CountRetry() => Interlocked.Increment(ref _retried);

    public void CountNotFound(int edge, TimeSpan elapsed) => _notFound.Enqueue((edge, elapsed));
}

/// <summary>
/// A client's conversation over HTTP, each turn on whichever edge the balancer gives. It sends only what is new, after the anchor it has; told that the anchor
/// is dead, it sends everything once. Whatever happens, upstream must have the whole conversation before it, and nothing else.
/// </summary>
public sealed class Conversation(RunningSystem system, ReadyEdges edges, Incidents incidents, string name, bool store)
{
    // How long a client waits for an edge that may be frozen.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private const int Tries = 200;

    private readonly List<string> _asked = [];
    private readonly List<string> _history = [];
    private string? _anchor;
    private int _context;

    /// <summary>Turns that have been answered.</summary>
    public int Answered { get; private set; }

    /// <summary>How often the conversation has had to be sent anew.</summary>
    public int Rebuilt { get; private set; }

    /// <summary>What its turns say last, and their answers quote.</summary>
    public string Name => name;

    /// <summary>Each try: when it began, on which edge, what came of it and how long that took.</summary>
    public string History => string.Join('\n', _history);

    /// <summary>One more turn, to its end.</summary>
    public async Task SayAsync(string text)
    {
        _asked.Add(text);
        for (var tries = 0; tries < Tries; tries++)
        {
            edges.TryPick(out var edge);
            var started = Stopwatch.GetTimestamp();
            var began = TimeProvider.System.GetUtcNow();
            var answer = await TryAsync(edge);
            _history.Add($"{began:HH:mm:ss.fff} edge-{edge} after {_anchor ?? "nothing"}: {(answer is null ? "no answer" : $"{(int)answer.Status} {(answer.IsSuccess ? answer.Id : answer.ErrorCode)}")} in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:F0} ms");
            if (answer is null || (int)answer.Status >= 500 || answer.Status == HttpStatusCode.TooManyRequests)
            {
                incidents.CountRetry();
                await Task.Delay(Pause, TimeProvider.System);
                continue;
            }
            if (answer.Status == HttpStatusCode.BadRequest && answer.ErrorCode == "previous_response_not_found")
            {
                incidents.CountNotFound(edge, Stopwatch.GetElapsedTime(started));
                Assert.False(store, $"{name}: a stored anchor is dead: {answer.Body}");
                Assert.True(_anchor is not null, $"{name}: a turn without an anchor is told that it is dead");
                _anchor = null;
                Rebuilt++;
                continue;
            }
            Assert.True(answer.IsSuccess, $"{name}: {answer.Status} {answer.Body}");
            AssertWhole(answer.Text);
            _anchor = answer.Id;
            Answered++;
            return;
        }
        Assert.Fail($"{name}: no answer after {Tries} tries");
    }

    // "You said: hello. Items: 1. Anchor: none. Context: 1." Context is the length of the whole chain: with each turn it grows by the answer before and the question.
    private void AssertWhole(string text)
    {
        Assert.Contains($"You said: {_asked[^1]}.", text, StringComparison.Ordinal);
        var context = int.Parse(text.Split("Context: ")[1].TrimEnd('.'), CultureInfo.InvariantCulture);
        Assert.Equal(_anchor is null ? _asked.Count : _context + 2, context);
        _context = context;
    }

    // Null when there was no answer.
    private async Task<ApiAnswer?> TryAsync(int edge)
    {
        var input = new JsonArray([.. (_anchor is null ? _asked : _asked[^1..]).Select(text => (JsonNode)new JsonObject { ["role"] = "user", ["content"] = text })]);
        var body = new JsonObject { ["model"] = "gpt-5.6", ["store"] = store, ["input"] = input };
        if (_anchor is not null)
        {
            body["previous_response_id"] = _anchor;
        }
        using var client = system.Client(edge: edge);
        using var content = new StringContent(body.ToJsonString(), System.Text.Encoding.UTF8, "application/json");
        try
        {
            return await client.SendAsync(HttpMethod.Post, "/v1/responses", content, null, ("thread-id", name)).WaitAsync(Patience);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException or TimeoutException)
        {
            return null;
        }
    }
}

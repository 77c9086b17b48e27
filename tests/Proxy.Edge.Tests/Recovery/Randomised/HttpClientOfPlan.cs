using System.Text.Json.Nodes;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Recovery.Randomised;

/// <summary>A client that asks over HTTP, for a stream or for a whole answer.</summary>
internal sealed class HttpClientOfPlan(RunningEdge edge, PlannedClient plan, Seen seen)
{
    public async Task RunAsync()
    {
        string? own = null;
        foreach (var turn in plan.Lanes.Single().Turns)
        {
            var anchor = seen.AnchorOf(turn, own);
            var body = Asking.HttpBody(Asking.Frame(turn.Marker, null, turn.Store, anchor), plan.Kind == Kind.HttpStream);
            using var leaving = new CancellationTokenSource();
            try
            {
                own = await AskAsync(turn, body, leaving) ?? own;
                seen.Ended(turn, Ending.Terminal);
            }
            catch (OperationCanceledException) when (leaving.IsCancellationRequested)
            {
                seen.Ended(turn, Ending.Left);
            }
            catch (Exception broken) when (broken is HttpRequestException or IOException)
            {
                seen.Ended(turn, Ending.Terminal);
                seen.Wrong(turn, $"the answer broke: {broken.Message}");
            }
        }
    }

    private async Task<string?> AskAsync(PlannedTurn turn, string body, CancellationTokenSource leaving)
    {
        (string, string)[] headers = plan.Codex ? [("thread-id", turn.Thread), ("originator", "codex_cli_rs")] : [("thread-id", turn.Thread)];
        var asked = edge.PostAsync(body, cancellationToken: leaving.Token, headers: headers);
        if (turn.Leaving == Leaving.AtOnce)
        {
            // It has reached upstream, or was answered without.
            await Task.WhenAny(asked, edge.Sim.WhenAsync(sim => sim.Recorded.Turns.Any(one => one.Header("thread-id") == turn.Thread)));
            await leaving.CancelAsync();
        }
        using var response = await asked;
        if (turn.Leaving == Leaving.AfterTheFirstEvent)
        {
            await leaving.CancelAsync();
            leaving.Token.ThrowIfCancellationRequested();
        }
        var text = await response.Content.ReadAsStringAsync(leaving.Token);
        if (response.Content.Headers.ContentType?.MediaType == "text/event-stream")
        {
            return seen.Check(turn, Sse.Read(text).FindAll(one => one.Type() != "keepalive"));
        }
        seen.Quotes(turn, text);
        JsonNode json;
        try
        {
            json = JsonNode.Parse(text)!;
        }
        catch (System.Text.Json.JsonException)
        {
            seen.Wrong(turn, $"{(int)response.StatusCode} with no answer: '{text}'");
            return null;
        }
        seen.Terminals.Enqueue($"{(int)response.StatusCode} {json.Code()}");
        if ((string?)json["status"] != "completed" || (string?)json["id"] is not { } id)
        {
            return null;
        }
        seen.Keep(turn, id);
        return id;
    }
}

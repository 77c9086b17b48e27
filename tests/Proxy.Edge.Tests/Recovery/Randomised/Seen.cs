using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Recovery.Randomised;

/// <summary>How a turn ended for its client.</summary>
internal enum Ending
{
    /// <summary>With a terminal event or a whole answer.</summary>
    Terminal,

    /// <summary>The client left first.</summary>
    Left,

    /// <summary>The edge closed the client's socket: the turn must not have been accepted.</summary>
    Closed,
}

/// <summary>What clients saw, and what must not have been.</summary>
internal sealed partial class Seen
{
    /// <summary>Stored responses, for follow-ups of anybody.</summary>
    private readonly ConcurrentQueue<string> _stored = new();

    public ConcurrentQueue<string> Violations { get; } = new();

    public ConcurrentDictionary<int, Ending> Endings { get; } = new();

    public ConcurrentDictionary<int, string?> Anchors { get; } = new();

    public ConcurrentQueue<string> Terminals { get; } = new();

    /// <summary>What each turn's client got, in short.</summary>
    public ConcurrentDictionary<int, string> Got { get; } = new();

    /// <summary>The file that tells all of it, if anything is wrong.</summary>
    public string? Transcript { get; set; }

    public void Wrong(PlannedTurn? turn, string what) =>
        Violations.Enqueue(turn is null ? what : $"{turn.Marker} ({turn.Fault?.Name ?? "no fault"}): {what}");

    public void Ended(PlannedTurn turn, Ending ending)
    {
        if (!Endings.TryAdd(turn.Number, ending))
        {
            Wrong(turn, "ended twice");
        }
    }

    public void Keep(PlannedTurn turn, string id)
    {
        if (turn.Store)
        {
            _stored.Enqueue(id);
        }
    }

    /// <summary>The anchor of a turn as planned, as far as there is one by now.</summary>
    public string? AnchorOf(PlannedTurn turn, string? own)
    {
        string? anchor = null;
        switch (turn.Anchoring)
        {
            case Anchoring.Own:
                anchor = own;
                break;
            case Anchoring.Stored:
                var stored = _stored.ToArray();
                anchor = stored.Length == 0 ? null : stored[turn.Pick % stored.Length];
                break;
            case Anchoring.Bogus:
                anchor = $"resp_bogus_{turn.Number}";
                break;
            default:
                break;
        }
        Anchors[turn.Number] = anchor;
        return anchor;
    }

    /// <summary>Checks a stream of events, and returns the id of the response if it was completed.</summary>
    public string? Check(PlannedTurn turn, IReadOnlyList<JsonNode> events)
    {
        Got[turn.Number] = string.Join(", ", events.Select(one => $"{one.Type()} {one.Id()} {one.Code()}".TrimEnd()).Where(one => !one.EndsWith("delta", StringComparison.Ordinal)));
        var (ids, deltas, terminals) = (new HashSet<string>(), new StringBuilder(), 0);
        var last = -1L;
        foreach (var json in events)
        {
            if (json.Type() == "response.completed" || json.Type() == "response.output_text.done")
            {
                Quotes(turn, json.ToJsonString());
            }
            terminals += json.Type() is "response.completed" or "response.failed" or "response.incomplete" or "error" ? 1 : 0;
            deltas.Append(json.Type() == "response.output_text.delta" ? (string?)json["delta"] : "");
            if (json.Id() is { } id)
            {
                ids.Add(id);
            }
            if (json["sequence_number"] is { } sequence && json.Type() != "error")
            {
                if ((long)sequence <= last)
                {
                    Wrong(turn, $"sequence {sequence} after {last}");
                }
                last = (long)sequence;
            }
        }
        var answer = $"You said: {turn.Marker}. ";
        if (!deltas.ToString().StartsWith(answer, StringComparison.Ordinal) && !answer.StartsWith(deltas.ToString(), StringComparison.Ordinal))
        {
            Wrong(turn, $"foreign output: {deltas}");
        }
        if (ids.Count > 1)
        {
            Wrong(turn, $"events of {ids.Count} responses: {string.Join(", ", events.Select(one => $"{one.Type()} {one.Id()}"))}");
        }
        if (terminals != 1)
        {
            Wrong(turn, $"{terminals} terminal events");
        }
        Terminals.Enqueue($"{events[^1].Type()} {events[^1].Code()}");
        if (events[^1].Type() is not "response.completed" || events[^1].Id() is not { } completed)
        {
            return null;
        }
        Keep(turn, completed);
        return completed;
    }

    /// <summary>Checks whose input an answer quotes.</summary>
    public void Quotes(PlannedTurn turn, string text)
    {
        foreach (Match match in Marker().Matches(text))
        {
            if (match.Value != turn.Marker)
            {
                Wrong(turn, $"got the output of {match.Value}");
            }
        }
    }

    [GeneratedRegex("t[0-9]{5};")]
    private static partial Regex Marker();
}

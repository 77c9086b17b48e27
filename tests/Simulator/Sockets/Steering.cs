using System.Text.Json;
using Simulator.Responses;
using Simulator.Turns;

namespace Simulator.Sockets;

/// <summary>The answer to a <c>response.steer</c>.</summary>
internal sealed record Steering(string PreviousResponseId, string? Lane, int? Sequence, string? ErrorCode, IReadOnlyList<string> WaitsFor)
{
    private readonly string _id = Ids.Steer();

    public static Steering Accepted(Turn turn) => new(turn.Id, turn.StreamId, turn.NextSequence(), null, []);

    public static Steering Pending(Turn turn) => new(
        turn.Id, turn.StreamId, turn.NextSequence(), null, [.. turn.Output.OfType<FunctionCallItem>().Select(call => call.CallId)]);

    public static Steering Failed(string previousResponseId, string code) => new(previousResponseId, null, null, code, []);

    public byte[] Event(string outcome) => JsonBytes.Write((Steering: this, outcome), static (json, s) =>
    {
        var steering = s.Steering;
        json.WriteStartObject();
        json.WriteString("type", "response.steer." + s.outcome);
        if (steering.Sequence is { } sequence)
        {
            json.WriteNumber("sequence_number", sequence);
        }

        if (steering.Lane is { } lane)
        {
            json.WriteString("stream_id", lane);
        }

        json.WriteStartObject("steer");
        json.WriteString("id", steering._id);
        json.WriteString("previous_response_id", steering.PreviousResponseId);
        json.WriteEndObject();
        WriteWaitsFor(json, steering.WaitsFor);
        if (steering.ErrorCode is { } code)
        {
            json.WriteStartObject("error");
            json.WriteString("code", code);
            json.WriteString("message", $"The response cannot be steered: {code}.");
            json.WriteEndObject();
        }

        json.WriteEndObject();
    });

    private static void WriteWaitsFor(Utf8JsonWriter json, IReadOnlyList<string> callIds)
    {
        if (callIds.Count == 0)
        {
            return;
        }

        json.WriteString("reason", "waiting_for_required_input");
        json.WriteStartArray("required_input");
        foreach (var callId in callIds)
        {
            json.WriteStartObject();
            json.WriteString("type", "function_call_output");
            json.WriteString("call_id", callId);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}

using System.Text;
using System.Text.Json;
using Simulator.Responses;
using Simulator.Scripts;

namespace Simulator.Turns;

/// <summary>The events that a rule puts into an answer, in exactly the shape it asks for.</summary>
internal static class ScriptedEvents
{
    public static TurnEvent Error(Turn turn, ErrorStep step) =>
        new("error", JsonBytes.Write((turn, step), static (json, s) =>
        {
            var (turn, step) = s;
            json.WriteStartObject();
            json.WriteString("type", "error");
            WriteOptional(json, step.Status);
            WriteLane(json, turn);
            if (step.Flat || !turn.OverWebSocket)
            {
                json.WriteString("code", step.Code);
                json.WriteString("message", turn.Fill(step.Message ?? ""));
                json.WriteString("param", step.Param);
                json.WriteNumber("sequence_number", turn.NextSequence());
            }
            else
            {
                json.WriteStartObject("error");
                WriteErrorMembers(json, turn, step.Type, step.Code, step.Message, step.Param);
                json.WriteEndObject();
            }

            if (step.ResponseId is { } id)
            {
                json.WriteStartObject("response");
                json.WriteString("id", turn.Fill(id));
                json.WriteEndObject();
            }

            WriteHeaders(json, step.Headers);
            json.WriteEndObject();
        }));

    public static TurnEvent Failed(Turn turn, FailedStep step)
    {
        var response = JsonBytes.Write((turn, step), static (json, s) =>
        {
            var (turn, step) = s;
            var id = step.ResponseId is { } foreign ? turn.Fill(foreign) : turn.Id;
            json.WriteStartObject();
            foreach (var member in JsonDocument.Parse(ResponseObject.Write(turn, "failed")).RootElement.EnumerateObject())
            {
                if (member.NameEquals("error"))
                {
                    json.WriteStartObject("error");
                    WriteErrorMembers(json, turn, step.Type, step.Code, step.Message, step.Param);
                    json.WriteEndObject();
                }
                else if (!member.NameEquals("id"))
                {
                    member.WriteTo(json);
                }
                else if (!step.Anonymous)
                {
                    json.WriteString("id", id);
                }
            }

            json.WriteEndObject();
        });
        return TurnEvents.Whole(turn, "response.failed", response);
    }

    public static TurnEvent Inserted(Turn turn, EventStep step)
    {
        var filled = JsonDocument.Parse(turn.Fill(step.Event.GetRawText())).RootElement;
        var type = TurnRequest.Text(filled, "type") ?? "message";
        return new TurnEvent(type, JsonBytes.Write((turn, step, filled), static (json, s) =>
        {
            json.WriteStartObject();
            foreach (var member in s.filled.EnumerateObject())
            {
                member.WriteTo(json);
            }

            if (s.step.Numbered)
            {
                json.WriteNumber("sequence_number", s.turn.NextSequence());
            }

            if (!s.step.Laneless)
            {
                WriteLane(json, s.turn);
            }

            json.WriteEndObject();
        }), filled.TryGetProperty("response", out var response) ? Encoding.UTF8.GetBytes(response.GetRawText()) : null);
    }

    /// <summary>The error frame that stands for an HTTP status on a WebSocket.</summary>
    public static byte[] Frame(StatusStep step, string? streamId) => JsonBytes.Write((step, streamId), static (json, s) =>
    {
        json.WriteStartObject();
        json.WriteString("type", "error");
        json.WriteNumber("status", s.step.Status);
        if (s.streamId is not null)
        {
            json.WriteString("stream_id", s.streamId);
        }

        json.WritePropertyName("error");
        if (s.step.Body is { ValueKind: JsonValueKind.Object } body && body.TryGetProperty("error", out var error))
        {
            error.WriteTo(json);
        }
        else
        {
            new ApiError(s.step.Status, s.step.Code, s.step.Message, s.step.Param, s.step.Type).WriteObject(json);
        }

        WriteHeaders(json, s.step.Headers);
        json.WriteEndObject();
    });

    private static void WriteErrorMembers(Utf8JsonWriter json, Turn turn, string? type, string? code, string? message, string? param)
    {
        if (type is not null)
        {
            json.WriteString("type", type);
        }

        if (code is not null)
        {
            json.WriteString("code", code);
        }

        if (message is not null)
        {
            json.WriteString("message", turn.Fill(message));
        }

        if (param is not null)
        {
            json.WriteString("param", param);
        }
    }

    private static void WriteOptional(Utf8JsonWriter json, int? status)
    {
        if (status is { } value)
        {
            json.WriteNumber("status", value);
        }
    }

    private static void WriteLane(Utf8JsonWriter json, Turn turn)
    {
        if (turn.StreamId is { } lane)
        {
            json.WriteString("stream_id", lane);
        }
    }

    private static void WriteHeaders(Utf8JsonWriter json, IReadOnlyDictionary<string, string> headers)
    {
        if (headers.Count > 0)
        {
            json.WriteStartObject("headers");
            foreach (var (name, value) in headers)
            {
                json.WriteString(name, value);
            }

            json.WriteEndObject();
        }
    }
}

using System.Text.Json;
using Simulator.Responses;

namespace Simulator.Turns;

/// <summary>An event of the stream. Those about the whole response carry it a second time, for answers that are not streamed.</summary>
internal readonly record struct TurnEvent(string Type, byte[] Json, byte[]? Response = null)
{
    public bool IsTerminal => Type is "response.completed" or "response.failed" or "response.incomplete";
}

/// <summary>The events of a turn in the order in which the API sends them.</summary>
internal static class TurnEvents
{
    public static IEnumerable<TurnEvent> Plain(Turn turn)
    {
        var answer = turn.Rule.Answer;
        if (turn.OverWebSocket && answer.CodexRateLimit is { } used)
        {
            yield return CodexEvents.RateLimits(turn, used);
        }

        yield return Whole(turn, "response.created", ResponseObject.Write(turn, "in_progress"));
        if (answer.Queued)
        {
            yield return Whole(turn, "response.queued", ResponseObject.Write(turn, "queued"));
        }

        yield return Whole(turn, "response.in_progress", ResponseObject.Write(turn, "in_progress"));
        if (turn.OverWebSocket && answer.TurnState is { } state)
        {
            yield return CodexEvents.TurnState(turn, state);
        }

        for (var index = 0; index < turn.Output.Count; index++)
        {
            foreach (var itemEvent in OfItem(turn, turn.Output[index], index))
            {
                yield return itemEvent;
            }
        }

        var response = ResponseObject.Write(turn, "completed");
        turn.Keep(response);
        yield return Whole(turn, "response.completed", response);
    }

    public static TurnEvent Incomplete(Turn turn, string reason)
    {
        var response = ResponseObject.Write(turn, "incomplete", incompleteReason: reason);
        turn.Keep(response);
        return Whole(turn, "response.incomplete", response);
    }

    public static TurnEvent Whole(Turn turn, string type, byte[] response) =>
        new(type, Write(turn, type, response, static (json, bytes) =>
        {
            json.WritePropertyName("response");
            json.WriteRawValue(bytes, skipInputValidation: true);
        }), response);

    /// <summary>An event with its type, number and, in a named lane, the lane.</summary>
    public static byte[] Write<TState>(Turn turn, string type, TState state, Action<Utf8JsonWriter, TState> members) =>
        JsonBytes.Write((turn, type, state, members), static (json, s) =>
        {
            json.WriteStartObject();
            json.WriteString("type", s.type);
            json.WriteNumber("sequence_number", s.turn.NextSequence());
            if (s.turn.StreamId is { } lane)
            {
                json.WriteString("stream_id", lane);
            }

            s.members(json, s.state);
            json.WriteEndObject();
        });

    private static IEnumerable<TurnEvent> OfItem(Turn turn, OutputItem item, int index)
    {
        yield return Item(turn, "response.output_item.added", item, index, done: false);
        switch (item)
        {
            case MessageItem message:
                yield return Part(turn, "response.content_part.added", message.Id, index, "");
                foreach (var delta in Composition.Deltas(turn, message.Text))
                {
                    yield return Text(turn, "response.output_text.delta", message.Id, index, "delta", delta);
                }

                yield return Text(turn, "response.output_text.done", message.Id, index, "text", message.Text);
                yield return Part(turn, "response.content_part.done", message.Id, index, message.Text);
                break;
            case FunctionCallItem call:
                foreach (var delta in Composition.Deltas(turn, call.Arguments))
                {
                    yield return Arguments(turn, "response.function_call_arguments.delta", call.Id, index, "delta", delta);
                }

                yield return Arguments(turn, "response.function_call_arguments.done", call.Id, index, "arguments", call.Arguments);
                break;
        }

        yield return Item(turn, "response.output_item.done", item, index, done: true);
    }

    private static TurnEvent Item(Turn turn, string type, OutputItem item, int index, bool done) =>
        new(type, Write(turn, type, (item, index, done), static (json, s) =>
        {
            json.WriteNumber("output_index", s.index);
            json.WritePropertyName("item");
            s.item.Write(json, s.done);
        }));

    private static TurnEvent Part(Turn turn, string type, string itemId, int index, string text) =>
        new(type, Write(turn, type, (itemId, index, text), static (json, s) =>
        {
            json.WriteString("item_id", s.itemId);
            json.WriteNumber("output_index", s.index);
            json.WriteNumber("content_index", 0);
            json.WritePropertyName("part");
            MessageItem.WritePart(json, s.text);
        }));

    private static TurnEvent Text(Turn turn, string type, string itemId, int index, string member, string text) =>
        new(type, Write(turn, type, (itemId, index, member, text), static (json, s) =>
        {
            json.WriteString("item_id", s.itemId);
            json.WriteNumber("output_index", s.index);
            json.WriteNumber("content_index", 0);
            json.WriteString(s.member, s.text);
            json.WriteStartArray("logprobs");
            json.WriteEndArray();
        }));

    private static TurnEvent Arguments(Turn turn, string type, string itemId, int index, string member, string text) =>
        new(type, Write(turn, type, (itemId, index, member, text), static (json, s) =>
        {
            json.WriteString("item_id", s.itemId);
            json.WriteNumber("output_index", s.index);
            json.WriteString(s.member, s.text);
        }));
}

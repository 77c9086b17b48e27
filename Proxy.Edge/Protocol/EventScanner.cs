using System.Text.Json;

namespace Proxy.Edge.Protocol;

/// <summary>What an event means to a turn; all others only pass.</summary>
internal enum EventKind
{
    Other,

    /// <summary>A piece of output.</summary>
    Delta,
    Created,
    Completed,
    Incomplete,
    Failed,
    Error,
}

/// <summary>The beginning of an event: enough to relay it.</summary>
internal readonly record struct EventHead(EventKind Kind, long? SequenceNumber)
{
    /// <summary>True for the last event of a response.</summary>
    public bool IsTerminal => Kind is EventKind.Completed or EventKind.Incomplete or EventKind.Failed or EventKind.Error;
}

/// <summary>Tokens of a response, as its terminal event tells them.</summary>
internal readonly record struct TokenUsage(long Input, long CachedInput, long Output, long Reasoning, long Total);

/// <summary>What a <c>response</c> object, or an error in its place, says about a turn.</summary>
internal readonly record struct ResponseFacts(string? Id, string? Status, string? ErrorCode, TokenUsage? Usage, DateTimeOffset? ResetsAt, double? ResetsInSeconds);

/// <summary>Scans events without an object tree; an event that only passes costs no allocation.</summary>
internal static class EventScanner
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 256 };

    /// <summary>
    /// Type and sequence number, reading no further than it must; upstream writes them first:
    /// <code>{"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_1","delta":"Hel",...}</code>
    /// Text that is not a JSON object is <see cref="EventKind.Other"/>: it passes.
    /// </summary>
    public static EventHead ReadHead(ReadOnlySpan<byte> json)
    {
        EventKind? kind = null;
        long? sequence = null;
        try
        {
            var reader = new Utf8JsonReader(json, Options);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return default;
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("type"u8))
                {
                    reader.Read();
                    kind = reader.TokenType == JsonTokenType.String ? KindOf(ref reader) : EventKind.Other;
                }
                else if (reader.ValueTextEquals("sequence_number"u8))
                {
                    reader.Read();
                    sequence = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number) ? number : null;
                }
                else
                {
                    reader.Skip();
                }
                if (kind is not null && sequence is not null)
                {
                    break;
                }
            }
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            // Half an event, or none: what was read so far stands.
        }
        return new EventHead(kind ?? EventKind.Other, sequence);
    }

    /// <summary>The lane a frame belongs to, or null for the default lane.</summary>
    public static string? ReadStreamId(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, Options);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return null;
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("stream_id"u8))
                {
                    reader.Read();
                    return reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                }
                reader.Skip();
            }
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            // No lane of ours has a name that cannot be read.
        }
        return null;
    }

    /// <summary>
    /// The facts in an event (<c>{"type":..., "response":{...}}</c>), an error event or frame (<c>{"type":"error","error":{...}}</c> or
    /// with the fields at the top), or a whole JSON answer (<c>{"id":...,"status":...,"usage":{...}}</c>, <c>{"error":{...}}</c>).
    /// </summary>
    public static ResponseFacts ReadFacts(ReadOnlySpan<byte> json)
    {
        var facts = new Facts();
        try
        {
            var reader = new Utf8JsonReader(json, Options);
            if (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
            {
                ReadObject(ref reader, ref facts, isError: false, mayNest: true);
            }
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            // What was read so far stands.
        }
        return new ResponseFacts(facts.Id, facts.Status, facts.Code, facts.Usage, facts.ResetsAt, facts.ResetsIn);
    }

    // The reader has two kinds of exceptions: one for what is no JSON, one for strings that are no Unicode.
    private static bool IsMalformed(Exception exception) => exception is JsonException or InvalidOperationException;

    private static EventKind KindOf(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals(WireTypes.Created)) { return EventKind.Created; }
        if (reader.ValueTextEquals(WireTypes.Completed)) { return EventKind.Completed; }
        if (reader.ValueTextEquals(WireTypes.Incomplete)) { return EventKind.Incomplete; }
        if (reader.ValueTextEquals(WireTypes.Failed)) { return EventKind.Failed; }
        if (reader.ValueTextEquals(WireTypes.Error)) { return EventKind.Error; }
        return !reader.HasValueSequence && reader.ValueSpan.EndsWith(WireTypes.DeltaSuffix) ? EventKind.Delta : EventKind.Other;
    }

    private static void ReadObject(ref Utf8JsonReader reader, ref Facts facts, bool isError, bool mayNest)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("response"u8) && mayNest) { ReadNested(ref reader, ref facts, isError: false); }
            else if (reader.ValueTextEquals("error"u8)) { ReadNested(ref reader, ref facts, isError: true); }
            else if (reader.ValueTextEquals("usage"u8)) { ReadUsage(ref reader, ref facts); }
            else if (reader.ValueTextEquals("id"u8) && !isError) { facts.Id = ReadString(ref reader) ?? facts.Id; }
            else if (reader.ValueTextEquals("status"u8) && !isError) { facts.Status = ReadString(ref reader) ?? facts.Status; }
            else if (reader.ValueTextEquals("code"u8)) { facts.Code = ReadString(ref reader) ?? facts.Code; }
            // Some upstreams give the code in the error's type only.
            else if (reader.ValueTextEquals("type"u8) && isError) { var type = ReadString(ref reader); facts.Code ??= type; }
            else if (reader.ValueTextEquals("resets_at"u8)) { facts.ResetsAt = ReadUnixTime(ref reader) ?? facts.ResetsAt; }
            else if (reader.ValueTextEquals("resets_in_seconds"u8)) { facts.ResetsIn = ReadNumber(ref reader) ?? facts.ResetsIn; }
            else { reader.Skip(); }
        }
    }

    private static void ReadNested(ref Utf8JsonReader reader, ref Facts facts, bool isError)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            ReadObject(ref reader, ref facts, isError, mayNest: false);
        }
        else
        {
            reader.Skip();
        }
    }

    private static void ReadUsage(ref Utf8JsonReader reader, ref Facts facts)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }
        long input = 0, cached = 0, output = 0, reasoning = 0, total = 0;
        var depth = reader.CurrentDepth;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (reader.TokenType != JsonTokenType.PropertyName) { continue; }
            // Chat completions and embeddings call input prompt, and output completion.
            if (reader.ValueTextEquals("input_tokens"u8) || reader.ValueTextEquals("prompt_tokens"u8)) { input = ReadCount(ref reader); }
            else if (reader.ValueTextEquals("cached_tokens"u8)) { cached = ReadCount(ref reader); }
            else if (reader.ValueTextEquals("output_tokens"u8) || reader.ValueTextEquals("completion_tokens"u8)) { output = ReadCount(ref reader); }
            else if (reader.ValueTextEquals("reasoning_tokens"u8)) { reasoning = ReadCount(ref reader); }
            else if (reader.ValueTextEquals("total_tokens"u8)) { total = ReadCount(ref reader); }
        }
        facts.Usage = new TokenUsage(input, cached, output, reasoning, total == 0 ? input + output : total);
    }

    private static long ReadCount(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var count) && count > 0 ? count : 0;
    }

    private static double? ReadNumber(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out var number))
        {
            return number;
        }
        reader.Skip();
        return null;
    }

    private static DateTimeOffset? ReadUnixTime(ref Utf8JsonReader reader) =>
        ReadNumber(ref reader) is { } seconds and > 0 and < 253402300800 ? DateTimeOffset.FromUnixTimeMilliseconds((long)(seconds * 1000)) : null;

    private static string? ReadString(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
        {
            return reader.GetString();
        }
        reader.Skip();
        return null;
    }

    private struct Facts
    {
        public string? Id, Status, Code;
        public TokenUsage? Usage;
        public DateTimeOffset? ResetsAt;
        public double? ResetsIn;
    }
}

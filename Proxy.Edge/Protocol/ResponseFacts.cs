using System.Globalization;
using System.Text;
using System.Text.Json;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Protocol;

/// <summary>Tokens of a response, as its terminal event tells them.</summary>
internal readonly record struct TokenUsage(long Input, long CachedInput, long Output, long Reasoning, long Total);

/// <summary>What a <c>response</c> object, or an error in its place, says about a turn.</summary>
/// <param name="IncompleteReason">Why a response is incomplete; <c>steered</c> is followed by another response.</param>
/// <param name="PreviousResponseId">The response that it continues.</param>
internal readonly record struct ResponseFacts(
    string? Id, string? Status, TokenUsage? Usage, UpstreamError? Error, string? IncompleteReason = null, string? PreviousResponseId = null)
{
    private readonly IReadOnlyList<OwnedId>? _outputs;

    /// <summary>What its output brings that only its account knows; see <see cref="OutputIds"/>.</summary>
    public IReadOnlyList<OwnedId> Outputs { get => _outputs ?? []; init => _outputs = value; }
}

/// <summary>Reads <see cref="ResponseFacts"/> without an object tree.</summary>
internal static class ResponseFactsReader
{
    /// <summary>
    /// The facts in an event (<c>{"type":..., "response":{...}}</c>), an error event or frame, or a whole JSON answer
    /// (<c>{"id":...,"status":...,"usage":{...}}</c>). Errors come in many shapes:
    /// <code>
    /// {"type":"error","status":400,"error":{"type":"...","code":"...","message":"...","param":"..."},"headers":{"retry-after":"1"}}
    /// {"type":"error","code":"...","message":"...","param":null,"status_code":429}
    /// {"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"...","message":"...","resets_in_seconds":30}}}
    /// {"error":{"type":"previous_response_not_found","message":"..."}}
    /// {"error":"Too many requests"}
    /// </code>
    /// </summary>
    public static ResponseFacts Read(ReadOnlySpan<byte> json)
    {
        var facts = new Facts();
        try
        {
            var reader = new Utf8JsonReader(json, EventScanner.Options);
            if (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
            {
                ReadObject(ref reader, ref facts, Level.Top);
            }
        }
        catch (Exception exception) when (EventScanner.IsMalformed(exception))
        {
            // What was read so far stands.
        }
        return new ResponseFacts(facts.Id ?? (facts.IsEvent ? null : facts.TopId), facts.Status, facts.Usage, facts.ToError(), facts.IncompleteReason, facts.PreviousResponseId) { Outputs = facts.Outputs ?? [] };
    }

    private static void ReadObject(ref Utf8JsonReader reader, ref Facts facts, Level level)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("response"u8) && level == Level.Top) { ReadNested(ref reader, ref facts, Level.Response); }
            else if (reader.ValueTextEquals("error"u8) && level != Level.Error) { ReadNested(ref reader, ref facts, Level.Error); }
            else if (reader.ValueTextEquals("headers"u8) && level != Level.Response) { ReadNested(ref reader, ref facts, Level.Headers); }
            else if (reader.ValueTextEquals("incomplete_details"u8)) { ReadNested(ref reader, ref facts, Level.Incomplete); }
            else if (reader.ValueTextEquals("usage"u8)) { ReadUsage(ref reader, ref facts); }
            else if (level is Level.Top or Level.Response && reader.ValueTextEquals("output"u8)) { OutputIds.ReadOutput(ref reader, ref facts.Outputs); }
            else if (level is Level.Headers) { ReadHint(ref reader, ref facts); }
            else if (reader.ValueTextEquals("id"u8) && level is Level.Response) { facts.Id = ReadId(ref reader) ?? facts.Id; }
            else if (reader.ValueTextEquals("previous_response_id"u8) && level is Level.Response) { facts.PreviousResponseId = ReadId(ref reader); }
            else if (reader.ValueTextEquals("id"u8) && level is Level.Top) { facts.TopId = ReadId(ref reader); }
            else if (reader.ValueTextEquals("reason"u8) && level is Level.Incomplete) { facts.IncompleteReason = EventScanner.ReadString(ref reader); }
            else if (reader.ValueTextEquals("status"u8) || reader.ValueTextEquals("status_code"u8)) { ReadStatus(ref reader, ref facts); }
            else if (level is not (Level.Top or Level.Error)) { reader.Skip(); }
            else if (reader.ValueTextEquals("code"u8)) { facts.Code = ReadCode(ref reader) ?? facts.Code; }
            else if (reader.ValueTextEquals("message"u8)) { facts.Message = EventScanner.ReadString(ref reader) ?? facts.Message; }
            else if (reader.ValueTextEquals("param"u8)) { facts.Param = EventScanner.ReadString(ref reader) ?? facts.Param; }
            // The event's own type is not the error's, nor is its id a response's.
            else if (reader.ValueTextEquals("type"u8) && level is Level.Top) { facts.IsEvent = true; reader.Skip(); }
            else if (reader.ValueTextEquals("type"u8) && level is Level.Error) { facts.Type = EventScanner.ReadString(ref reader); }
            else if (reader.ValueTextEquals("resets_at"u8)) { facts.ResetsAt = ReadUnixTime(ref reader) ?? facts.ResetsAt; }
            else if (reader.ValueTextEquals("resets_in_seconds"u8)) { facts.RetryAfter = DurationText.Plausible(ReadNumber(ref reader)) ?? facts.RetryAfter; }
            else { reader.Skip(); }
        }
    }

    private static void ReadNested(ref Utf8JsonReader reader, ref Facts facts, Level level)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            ReadObject(ref reader, ref facts, level);
        }
        else if (reader.TokenType == JsonTokenType.String && level == Level.Error)
        {
            facts.Message = reader.GetString();
        }
        else
        {
            reader.Skip();
        }
    }

    private static string? ReadId(ref Utf8JsonReader reader) => EventScanner.ReadString(ref reader) is { Length: <= OwnedId.MaxLength } id ? id : null;

    // "code":"rate_limit_exceeded", or "code":429 of somebody else.
    private static string? ReadCode(ref Utf8JsonReader reader)
    {
        reader.Read();
        var code = reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString(),
            JsonTokenType.Number => Encoding.ASCII.GetString(reader.ValueSpan),
            _ => null,
        };
        if (code is null)
        {
            reader.Skip();
        }
        return code;
    }

    // "status":"completed" of a response, "status":429 of a frame, "status":"429" of one by somebody else.
    private static void ReadStatus(ref Utf8JsonReader reader, ref Facts facts)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var number))
        {
            facts.ErrorStatus = number;
        }
        else if (reader.TokenType == JsonTokenType.String)
        {
            facts.Status = reader.GetString();
            facts.ErrorStatus = int.TryParse(facts.Status, CultureInfo.InvariantCulture, out var text) ? text : facts.ErrorStatus;
        }
        else
        {
            reader.Skip();
        }
    }

    private static void ReadHint(ref Utf8JsonReader reader, ref Facts facts)
    {
        var isSeconds = reader.ValueTextEquals("retry-after"u8) || reader.ValueTextEquals("Retry-After"u8);
        var isMilliseconds = reader.ValueTextEquals("retry-after-ms"u8);
        var isReset = reader.ValueTextEquals("x-ratelimit-reset-requests"u8) || reader.ValueTextEquals("x-ratelimit-reset-tokens"u8);
        reader.Read();
        var text = reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString(),
            JsonTokenType.Number => Encoding.ASCII.GetString(reader.ValueSpan),
            _ => null,
        };
        if (text is null)
        {
            reader.Skip();
        }
        if (isReset && DurationText.Parse(text) is { } reset)
        {
            facts.LimitReset = facts.LimitReset > reset ? facts.LimitReset : reset;
        }
        facts.RetryAfter = (isSeconds ? DurationText.OfSeconds(text) : isMilliseconds ? DurationText.OfMilliseconds(text) : null) ?? facts.RetryAfter;
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

    private enum Level
    {
        Top,
        Response,
        Error,
        Headers,
        Incomplete,
    }

    private struct Facts
    {
        public string? Id, TopId, Status, Code, Type, Message, Param, IncompleteReason, PreviousResponseId;
        public List<OwnedId>? Outputs;
        public bool IsEvent;
        public int? ErrorStatus;
        public TokenUsage? Usage;
        public DateTimeOffset? ResetsAt;
        public TimeSpan? RetryAfter, LimitReset;

        public readonly UpstreamError? ToError()
        {
            if (Code is null && Type is null && Message is null)
            {
                return null;
            }
            var error = UpstreamError.Of(ErrorStatus, Code, Type, Message, Param);
            return error with { RetryAfter = RetryAfter ?? LimitReset ?? error.RetryAfter, ResetsAt = ResetsAt };
        }
    }
}

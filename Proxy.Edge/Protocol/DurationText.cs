using System.Globalization;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;

namespace Proxy.Edge.Protocol;

/// <summary>Durations as upstream writes them, in headers and in texts.</summary>
internal static partial class DurationText
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(32);

    /// <summary>The value of an <c>x-ratelimit-reset-*</c> header: <c>1s</c>, <c>6m0s</c>, <c>1h2m3.5s</c>, <c>120ms</c>; null for anything else.</summary>
    public static TimeSpan? Parse(string? text)
    {
        if (text is null || text.Length > 64 || Compound.Match(text.Trim()) is not { Success: true } match)
        {
            return null;
        }
        var seconds = 0.0;
        for (var index = 0; index < match.Groups["number"].Captures.Count; index++)
        {
            var number = double.Parse(match.Groups["number"].Captures[index].ValueSpan, CultureInfo.InvariantCulture);
            seconds += number * SecondsOf(match.Groups["unit"].Captures[index].Value.ToLowerInvariant());
        }
        return Plausible(seconds);
    }

    /// <summary>
    /// The duration in a message: <c>Please try again in 1m30s.</c>, <c>Please retry after 9 seconds.</c>, <c>Please wait 21 seconds before retrying.</c>
    /// </summary>
    public static TimeSpan? WaitIn(string? message) =>
        message is not null && Wait.Match(message) is { Success: true } match ? Parse(match.Groups["duration"].Value) : null;

    /// <summary>
    /// How long an answer asks to wait: <c>retry-after-ms</c>, <c>Retry-After</c> (seconds or a date), or the longest of <c>x-ratelimit-reset-*</c>
    /// whose limit is used up.
    /// </summary>
    public static TimeSpan? WaitOf(HttpResponseHeaders headers, DateTimeOffset now)
    {
        if (headers.NonValidated.TryGetValues("retry-after-ms", out var milliseconds) && OfMilliseconds(milliseconds.ToString()) is { } exact)
        {
            return exact;
        }
        if (headers.RetryAfter is { } hint && (hint.Delta ?? hint.Date - now) is { } wait && wait > TimeSpan.Zero && wait < Longest)
        {
            return wait;
        }
        return new[] { ResetOf(headers, "requests"), ResetOf(headers, "tokens") }.Max();
    }

    /// <summary>Seconds in a <c>retry-after</c> that stands within JSON.</summary>
    public static TimeSpan? OfSeconds(string? text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) ? Plausible(seconds) : null;

    /// <summary>Milliseconds in a <c>retry-after-ms</c>.</summary>
    public static TimeSpan? OfMilliseconds(string? text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var milliseconds) ? Plausible(milliseconds / 1000) : null;

    /// <summary>The seconds as a duration, or null for what no one can mean.</summary>
    public static TimeSpan? Plausible(double? seconds) =>
        seconds > 0 && seconds < Longest.TotalSeconds ? TimeSpan.FromSeconds(seconds.Value) : null;

    private static TimeSpan? ResetOf(HttpResponseHeaders headers, string limit) =>
        (!headers.NonValidated.TryGetValues($"x-ratelimit-remaining-{limit}", out var remaining) || remaining.ToString() == "0")
        && headers.NonValidated.TryGetValues($"x-ratelimit-reset-{limit}", out var reset)
            // Azure writes bare seconds.
            ? Parse(reset.ToString()) ?? OfSeconds(reset.ToString())
            : null;

    private static double SecondsOf(string unit) => unit switch
    {
        "ms" or "millisecond" or "milliseconds" => 0.001,
        ['m', ..] => 60,
        ['h', ..] => 3600,
        ['d', ..] => 86400,
        _ => 1,
    };

    // Longer units first: "ms" is not "m", then "s". "2 more" is no duration.
    private const string Amount = @"(?<number>\d{1,9}(?:\.\d{1,9})?)\s*(?<unit>milliseconds?|ms|minutes?|mins?|m|seconds?|secs?|s|hours?|hrs?|h|days?|d)(?![a-zA-Z])";

    [GeneratedRegex($@"^(?:{Amount}\s*)+$", RegexOptions.IgnoreCase)]
    private static partial Regex Compound { get; }

    [GeneratedRegex($@"\b(try again (in|after)|retry (in|after)|wait( for)?)\s+(?<duration>({Amount}\s*)+)", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex Wait { get; }
}

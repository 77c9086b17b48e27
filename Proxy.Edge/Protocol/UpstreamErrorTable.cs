using System.Globalization;
using System.Text.RegularExpressions;

namespace Proxy.Edge.Protocol;

/// <summary>
/// What an error means, from its status, code, type, words and field: no I/O, no clock. Servers say the same in many ways:
/// <code>
/// 429 {"error":{"code":"rate_limit_exceeded","type":"tokens","message":"Rate limit reached for gpt-5.6 ... Limit 30000, Used 29000, Requested 2000. Please try again in 2s."}}
/// 429 {"error":{"code":"RateLimitReached","message":"Rate limit of 10 per 60s exceeded. Please wait 21 seconds before retrying."}}
/// 429 {"error":{"code":"429","message":"... exceeded token rate limit ... Please retry after 9 seconds."}}
/// 429 {"error":{"code":"rate_limit_exceeded","type":"tokens","message":"Request too large for gpt-5.6 ... Limit 30000, Requested 90000."}}
/// 429 Subscription quota exceeded.        402 {"error":{"code":"payment_required"}}        503 &lt;html>...
/// </code>
/// </summary>
internal static partial class UpstreamErrorTable
{
    /// <param name="code">The code, or the type where upstream gives only that.</param>
    public static UpstreamErrorKind KindOf(int? status, string? code, string? type, string message, string? param)
    {
        if (code is null or "invalid_request_error" && SaysNotFound(message, param))
        {
            return UpstreamErrorKind.PreviousResponseNotFound;
        }
        // An error that has a code of its own may still say in its type what it is.
        var named = (OfName(code), OfName(type)) switch
        {
            (null or UpstreamErrorKind.RateLimit, UpstreamErrorKind.Quota) => UpstreamErrorKind.Quota,
            (var byCode, _) => byCode,
        };
        return named switch
        {
            // Sent to any account, it would be refused again.
            UpstreamErrorKind.RateLimit or null when IsLimitStatus(status, named) && CanNeverFit(message) => UpstreamErrorKind.Other,
            not null => named.Value,
            null when status == StatusCodes.Status401Unauthorized => UpstreamErrorKind.Authentication,
            null when status == StatusCodes.Status402PaymentRequired => UpstreamErrorKind.Quota,
            null when status == StatusCodes.Status429TooManyRequests => OfWords(message),
            null when status is StatusCodes.Status503ServiceUnavailable or 529 => UpstreamErrorKind.Overload,
            null when status is null or >= 500 && AtCapacity.IsMatch(message) => UpstreamErrorKind.Overload,
            null => UpstreamErrorKind.Other,
        };
    }

    private static bool IsLimitStatus(int? status, UpstreamErrorKind? named) =>
        named == UpstreamErrorKind.RateLimit || status is StatusCodes.Status402PaymentRequired or StatusCodes.Status429TooManyRequests;

    // Servers write one name in their own ways: rate_limit_reached, RateLimitReached.
    private static UpstreamErrorKind? OfName(string? name) => name?.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal).ToLowerInvariant() switch
    {
        "previousresponsenotfound" => UpstreamErrorKind.PreviousResponseNotFound,
        "ratelimitexceeded" or "ratelimitreached" or "ratelimiterror" or "ratelimited" or "toomanyrequests" or "tokens" or "requests" => UpstreamErrorKind.RateLimit,
        "usagelimitreached" or "usagelimitexceeded" or "usagenotincluded" or "insufficientquota" or "quotaexceeded" or "paymentrequired" or "insufficientcredits"
            or "insufficientbalance" or "billinghardlimitreached" or "billingnotactive" => UpstreamErrorKind.Quota,
        "serverisoverloaded" or "overloadederror" or "overloaded" or "slowdown" or "engineoverloaded" => UpstreamErrorKind.Overload,
        "invalidapikey" or "authenticationerror" or "tokeninvalidated" or "tokenexpired" or "tokenrevoked" or "accountdeactivated" => UpstreamErrorKind.Authentication,
        "websocketconnectionlimitreached" => UpstreamErrorKind.ConnectionLimit,
        // Of the request, whatever status they come with.
        "contextlengthexceeded" or "invalidprompt" or "cyberpolicy" or "biopolicy" or "contentfilter" => UpstreamErrorKind.Other,
        "invalidencryptedcontent" => UpstreamErrorKind.ForeignEncryption,
        _ => null,
    };

    // A 429 that has no name for what it is. Where its words do not tell, it is taken for the limit that ends soonest.
    private static UpstreamErrorKind OfWords(string message) =>
        RateWords.IsMatch(message) ? UpstreamErrorKind.RateLimit
        : QuotaWords.IsMatch(message) ? UpstreamErrorKind.Quota
        : AtCapacity.IsMatch(message) ? UpstreamErrorKind.Overload
        : UpstreamErrorKind.RateLimit;

    private static bool CanNeverFit(string message) =>
        TooLarge.IsMatch(message) || (LimitAndRequested.Match(message) is { Success: true } match && NumberOf(match, "requested") > NumberOf(match, "limit"));

    private static long NumberOf(Match match, string group) => long.Parse(match.Groups[group].ValueSpan, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);

    // {"code":"invalid_request_error","param":"previous_response_id","message":"Previous response with id 'resp_1' not found."}
    // {"type":"invalid_request_error","message":"Invalid `previous_response_id`."}
    private static bool SaysNotFound(string message, string? param)
    {
        var text = Collapsed(message);
        return (param == "previous_response_id" && text.Contains("previous response", StringComparison.OrdinalIgnoreCase) && text.Contains("not found", StringComparison.OrdinalIgnoreCase))
            || (param is null or "previous_response_id" && text.StartsWith("Invalid `previous_response_id`", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The text with each run of white space as one blank.</summary>
    public static string Collapsed(string text) => WhiteSpace.Replace(text, " ").Trim();

    [GeneratedRegex(@"\brate.?limit|\btoo many requests\b|\bthrottl|\bper (second|minute|min|hour|day)\b|\bper \d+ ?s", RegexOptions.IgnoreCase)]
    private static partial Regex RateWords { get; }

    // Not in a link: Azure's rate limits come with https://aka.ms/oai/quotaincrease.
    [GeneratedRegex(@"\b(quota|billing|credits?|subscription|usage limit|spend(ing)? limit|payment)\b", RegexOptions.IgnoreCase)]
    private static partial Regex QuotaWords { get; }

    [GeneratedRegex(@"\b(at capacity|overloaded)\b", RegexOptions.IgnoreCase)]
    private static partial Regex AtCapacity { get; }

    [GeneratedRegex(@"\brequest (is |was )?too large\b", RegexOptions.IgnoreCase)]
    private static partial Regex TooLarge { get; }

    [GeneratedRegex(@"\blimit:? (?<limit>\d[\d,]{0,14}),( used:? \d[\d,]{0,14},)? requested:? (?<requested>\d[\d,]{0,14})", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex LimitAndRequested { get; }

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace { get; }
}

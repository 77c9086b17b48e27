using System.Text;
using System.Text.RegularExpressions;

namespace Proxy.Edge.Protocol;

/// <summary>What an error of upstream means for the turn it ends.</summary>
internal enum UpstreamErrorKind
{
    /// <summary>Nothing the gateway could do anything about: it is the client's to read.</summary>
    Other,

    /// <summary>The anchor is not known where the turn was sent.</summary>
    PreviousResponseNotFound,

    /// <summary>The account is exhausted, for whatever it is asked.</summary>
    Quota,

    /// <summary>The account has had as much of this model as it gets for now; other models it may still serve.</summary>
    RateLimit,

    /// <summary>The model or the service is busy; nothing is wrong with account or request.</summary>
    Overload,

    /// <summary>The account's credential was refused.</summary>
    Authentication,

    /// <summary>The WebSocket has lived as long as it may.</summary>
    ConnectionLimit,

    /// <summary>Encrypted reasoning of another organisation.</summary>
    ForeignEncryption,
}

/// <summary>
/// An error as upstream told it, in whatever shape it came, and what it means: <see cref="UpstreamErrorTable"/> is the only place that tells errors apart.
/// </summary>
/// <param name="Status">From the frame or the HTTP answer; null where none was told.</param>
/// <param name="Code">The code, or the type where upstream gives only that.</param>
/// <param name="RetryAfter">How long upstream asks to wait, from a header, a field or its text.</param>
/// <param name="ResetsAt">When an exhausted limit is whole again.</param>
internal sealed partial record UpstreamError(
    UpstreamErrorKind Kind, int? Status, string? Code, string? Type, string? Message, string? Param, TimeSpan? RetryAfter = null, DateTimeOffset? ResetsAt = null)
{
    private static readonly TimeSpan WithoutHint = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestReset = TimeSpan.FromDays(32);
    private const int LongestText = 1024;

    /// <summary>An end without a word about why.</summary>
    public static UpstreamError Unspecified { get; } = Of(null, null, null, null, null);

    /// <summary>The error by its fields, each as it stood on the wire or null.</summary>
    public static UpstreamError Of(int? status, string? code, string? type, string? message, string? param)
    {
        var told = Trimmed(code) ?? Trimmed(type);
        return new UpstreamError(UpstreamErrorTable.KindOf(status, told, Trimmed(type), message ?? "", Trimmed(param)), status, told, Trimmed(type), message, Trimmed(param), DurationText.WaitIn(message));
    }

    /// <summary>The error in a body that has no form of its own: text, or nothing, or a page for people, whose words mean nothing here.</summary>
    public static UpstreamError OfText(ReadOnlySpan<byte> body)
    {
        var text = body.Trim(" \t\r\n"u8);
        return text.IsEmpty || text[0] == (byte)'<' ? Unspecified : Of(null, null, null, Encoding.UTF8.GetString(text[..Math.Min(text.Length, LongestText)]), null);
    }

    /// <summary>True if the account was asked for more than it gets, of all or of one model.</summary>
    public bool IsLimit => Kind is UpstreamErrorKind.Quota or UpstreamErrorKind.RateLimit;

    /// <summary>What it means in one word of a few: fit for a counter and a header, which upstream's own words are not.</summary>
    public string Reason => Kind switch
    {
        UpstreamErrorKind.PreviousResponseNotFound => "previous_response_not_found",
        UpstreamErrorKind.Quota => Code is "insufficient_quota" or "usage_not_included" or "quota_exceeded" ? Code : "usage_limit_reached",
        UpstreamErrorKind.RateLimit => "rate_limit_exceeded",
        UpstreamErrorKind.Overload => "server_is_overloaded",
        UpstreamErrorKind.Authentication => "credential_refused",
        UpstreamErrorKind.ConnectionLimit => "websocket_connection_limit_reached",
        UpstreamErrorKind.ForeignEncryption => "invalid_encrypted_content",
        _ => "upstream_error",
    };

    /// <summary>Its status: as told, or else what the API answers errors of its kind, code or type with.</summary>
    public int HttpStatus => Status is >= 400 and < 600 and var told ? told : Kind switch
    {
        UpstreamErrorKind.Quota or UpstreamErrorKind.RateLimit => StatusCodes.Status429TooManyRequests,
        UpstreamErrorKind.Overload => StatusCodes.Status503ServiceUnavailable,
        UpstreamErrorKind.Authentication => StatusCodes.Status401Unauthorized,
        UpstreamErrorKind.PreviousResponseNotFound or UpstreamErrorKind.ConnectionLimit or UpstreamErrorKind.ForeignEncryption => StatusCodes.Status400BadRequest,
        _ => (Code, Type) switch
        {
            ("server_error" or "internal_error" or "api_error", _) or (_, "server_error" or "api_error") => StatusCodes.Status500InternalServerError,
            (_, "rate_limit_error" or "tokens" or "requests") => StatusCodes.Status429TooManyRequests,
            (_, "authentication_error") => StatusCodes.Status401Unauthorized,
            (_, "permission_error") => StatusCodes.Status403Forbidden,
            ("model_not_found" or "not_found", _) or (_, "not_found_error") => StatusCodes.Status404NotFound,
            (_, "invalid_request_error") or ("invalid_request_error" or "context_length_exceeded" or "invalid_prompt" or "cyber_policy" or "bio_policy", _) => StatusCodes.Status400BadRequest,
            _ => StatusCodes.Status502BadGateway,
        },
    };

    /// <summary>The same error with what the headers of its answer say.</summary>
    public UpstreamError With(int status, TimeSpan? retryAfter) =>
        this with { Kind = UpstreamErrorTable.KindOf(Status ?? status, Code, Type, Message ?? "", Param), Status = Status ?? status, RetryAfter = RetryAfter ?? retryAfter };

    /// <summary>When an exhausted account is whole again: soon, where upstream does not say.</summary>
    public DateTimeOffset ResetAfter(DateTimeOffset now) => ToldReset(now) ?? now + WithoutHint;

    /// <summary>When upstream says that an exhausted account is whole again; a reset in the past or beyond a month is not believed.</summary>
    public DateTimeOffset? ToldReset(DateTimeOffset now)
    {
        DateTimeOffset?[] hints = [ResetsAt, RetryAfter is { } wait && wait < LongestReset ? now + wait : null];
        return hints.FirstOrDefault(hint => hint > now && hint < now + LongestReset);
    }

    /// <summary>The anchor that the message of a not-found quotes: <c>Previous response with id 'resp_1' not found.</c></summary>
    public string? QuotedAnchor => Message is not null && QuotedId.Match(UpstreamErrorTable.Collapsed(Message)) is { Success: true } match ? match.Groups[1].Value : null;

    /// <summary>True if something that the request names is not there: <c>Prompt with id 'pmpt_1' not found.</c></summary>
    public bool SaysNotFound => Status == StatusCodes.Status404NotFound || Code?.EndsWith("_not_found", StringComparison.Ordinal) == true
        || Message?.Contains("not found", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>True if the message names the id as a whole word: <c>resp_1</c> is not in <c>lost resp_12</c>.</summary>
    public bool Mentions(string id)
    {
        var text = Message ?? "";
        for (var at = text.IndexOf(id, StringComparison.Ordinal); at >= 0; at = text.IndexOf(id, at + 1, StringComparison.Ordinal))
        {
            var end = at + id.Length;
            if ((at == 0 || !IsIdCharacter(text[at - 1])) && (end == text.Length || !IsIdCharacter(text[end])))
            {
                return true;
            }
        }
        return false;
    }

    private static string? Trimmed(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();

    private static bool IsIdCharacter(char character) => char.IsAsciiLetterOrDigit(character) || character is '_' or '-';

    [GeneratedRegex("""previous response with id ["'`]([^"'`]+)["'`] not found""", RegexOptions.IgnoreCase)]
    private static partial Regex QuotedId { get; }
}

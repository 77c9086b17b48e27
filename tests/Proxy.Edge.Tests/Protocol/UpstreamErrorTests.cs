using Proxy.Edge.Protocol;

namespace Proxy.Edge.Tests.Protocol;

public sealed class UpstreamErrorTests
{
    private static readonly DateTimeOffset Now = new(2026, 8, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    // resets_at, a wait (both in seconds from now) -> the reset believed
    [InlineData(100.0, 300.0, 100)]
    [InlineData(null, 300.0, 300)]
    [InlineData(null, null, 30)]
    [InlineData(-100.0, 200.0, 200)]
    [InlineData(0.0, 5.0, 5)]
    [InlineData(99_999_999.0, 300.0, 300)]
    [InlineData(null, 99_999_999.0, 30)]
    public void The_first_hint_that_can_be_believed_counts(double? resetsAt, double? wait, int expected)
    {
        var error = UpstreamError.Of(429, "usage_limit_reached", null, null, null) with
        {
            ResetsAt = resetsAt is { } at ? Now.AddSeconds(at) : null,
            RetryAfter = wait is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        };
        Assert.Equal(Now.AddSeconds(expected), error.ResetAfter(Now));
    }

    [Theory]
    [InlineData("rate_limit_exceeded", nameof(UpstreamErrorKind.Quota))]
    [InlineData("usage_limit_reached", nameof(UpstreamErrorKind.Quota))]
    [InlineData("insufficient_quota", nameof(UpstreamErrorKind.Quota))]
    [InlineData("usage_not_included", nameof(UpstreamErrorKind.Quota))]
    [InlineData("quota_exceeded", nameof(UpstreamErrorKind.Quota))]
    [InlineData("server_is_overloaded", nameof(UpstreamErrorKind.Overload))]
    [InlineData("overloaded_error", nameof(UpstreamErrorKind.Overload))]
    [InlineData("slow_down", nameof(UpstreamErrorKind.Overload))]
    [InlineData("token_expired", nameof(UpstreamErrorKind.Authentication))]
    [InlineData("invalid_api_key", nameof(UpstreamErrorKind.Authentication))]
    [InlineData("websocket_connection_limit_reached", nameof(UpstreamErrorKind.ConnectionLimit))]
    [InlineData("invalid_encrypted_content", nameof(UpstreamErrorKind.ForeignEncryption))]
    [InlineData("previous_response_not_found", nameof(UpstreamErrorKind.PreviousResponseNotFound))]
    [InlineData("server_error", nameof(UpstreamErrorKind.Other))]
    [InlineData("context_length_exceeded", nameof(UpstreamErrorKind.Other))]
    [InlineData(null, nameof(UpstreamErrorKind.Other))]
    public void A_code_says_what_the_error_means(string? code, string kind)
    {
        Assert.Equal(kind, UpstreamError.Of(null, code, null, null, null).Kind.ToString());
        // Upstreams that give the code in the type only.
        Assert.Equal(kind, UpstreamError.Of(null, null, code, null, null).Kind.ToString());
        Assert.Equal(kind, UpstreamError.Of(null, $" {code} ", "invalid_request_error", null, null).Kind.ToString());
    }

    [Theory]
    [InlineData("invalid_request_error", "previous_response_id", "Previous response with id 'resp_1' not found.", true)]
    [InlineData("invalid_request_error", "previous_response_id", "PREVIOUS  response\n not found", true)]
    [InlineData(null, "previous_response_id", "Previous response not found.", true)]
    [InlineData(null, null, "Invalid `previous_response_id`.", true)]
    [InlineData("invalid_request_error", "previous_response_id", "Invalid request payload", false)]
    [InlineData("invalid_request_error", "input", "Previous response not found.", false)]
    [InlineData("other", "previous_response_id", "Previous response not found.", false)]
    [InlineData("invalid_request_error", "input", "Invalid `previous_response_id`.", false)]
    public void A_not_found_is_recognised_by_its_words(string? code, string? param, string message, bool isNotFound) =>
        Assert.Equal(isNotFound, UpstreamError.Of(400, code, "invalid_request_error", message, param).Kind == UpstreamErrorKind.PreviousResponseNotFound);

    [Theory]
    [InlineData("Previous response with id 'resp_1' not found.", "resp_1")]
    [InlineData("previous  response with id \"resp_1\" not found", "resp_1")]
    [InlineData("Previous response not found.", null)]
    [InlineData(null, null)]
    public void The_anchor_that_a_message_quotes_is_read(string? message, string? anchor) =>
        Assert.Equal(anchor, UpstreamError.Of(400, "previous_response_not_found", null, message, null).QuotedAnchor);

    [Theory]
    [InlineData("Cannot continue: upstream lost resp_12.", "resp_12", true)]
    [InlineData("Cannot continue: upstream lost resp_123.", "resp_12", false)]
    [InlineData("lost resp_123, then resp_12", "resp_12", true)]
    [InlineData("resp_12", "resp_12", true)]
    [InlineData("xresp_12", "resp_12", false)]
    public void An_id_is_mentioned_as_a_whole_word_only(string message, string id, bool isMentioned) =>
        Assert.Equal(isMentioned, UpstreamError.Of(400, null, null, message, null).Mentions(id));

    [Theory]
    [InlineData(401, null, nameof(UpstreamErrorKind.Authentication))]
    [InlineData(503, "The model is at capacity.", nameof(UpstreamErrorKind.Overload))]
    [InlineData(500, "boom", nameof(UpstreamErrorKind.Other))]
    [InlineData(400, "You are at capacity.", nameof(UpstreamErrorKind.Other))]
    public void Where_no_code_tells_the_status_does(int status, string? message, string kind) =>
        Assert.Equal(kind, UpstreamError.Of(null, null, null, message, null).With(status, null).Kind.ToString());

    [Theory]
    [InlineData("1s", 1.0)]
    [InlineData("6m0s", 360.0)]
    [InlineData("1h2m3.5s", 3723.5)]
    [InlineData("120ms", 0.12)]
    [InlineData("1d", 86400.0)]
    [InlineData("20 seconds", 20.0)]
    [InlineData("0s", null)]
    [InlineData("400d", null)]
    [InlineData("5 parsecs", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void A_duration_is_read_as_upstream_writes_it(string? text, double? seconds) => Assert.Equal(seconds, DurationText.Parse(text)?.TotalSeconds);

    [Theory]
    [InlineData("Rate limit reached. Please try again in 1m30s.", 90.0)]
    [InlineData("Try again in 1.5s, or upgrade.", 1.5)]
    [InlineData("try again in 5 minutes", 300.0)]
    [InlineData("try again in 2 more days", null)]
    [InlineData("try again in a moment", null)]
    [InlineData("try again in 99999999999s", null)]
    public void A_wait_is_found_in_a_message(string message, double? seconds) => Assert.Equal(seconds, DurationText.AfterTryAgainIn(message)?.TotalSeconds);
}

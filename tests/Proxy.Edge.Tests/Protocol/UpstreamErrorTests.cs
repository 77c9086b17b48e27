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
    [InlineData("rate_limit_exceeded", nameof(UpstreamErrorKind.RateLimit))]
    [InlineData("RateLimitReached", nameof(UpstreamErrorKind.RateLimit))]
    [InlineData("too_many_requests", nameof(UpstreamErrorKind.RateLimit))]
    [InlineData("payment_required", nameof(UpstreamErrorKind.Quota))]
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

    // Public refusals, as they came: OpenAI's, Azure's, and those of servers that speak for others.
    [Theory]
    [InlineData(429, "rate_limit_exceeded", "tokens", "Rate limit reached for gpt-5.6 in organization org-1 on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.", nameof(UpstreamErrorKind.RateLimit), 2)]
    [InlineData(429, "rate_limit_exceeded", "tokens", "Request too large for gpt-5.6 in organization org-1 on tokens per min (TPM): Limit 30000, Requested 90000. The input or output tokens must be reduced in order to run successfully.", nameof(UpstreamErrorKind.Other), null)]
    [InlineData(429, "rate_limit_exceeded", "tokens", "Rate limit reached for gpt-5.6 on tokens per min (TPM): Limit 30,000, Used 0, Requested 90,000.", nameof(UpstreamErrorKind.Other), null)]
    [InlineData(null, "rate_limit_exceeded", null, "Request too large for gpt-5.6.", nameof(UpstreamErrorKind.Other), null)]
    [InlineData(429, "429", null, "Requests to the Responses_Create Operation under Azure OpenAI API version 2026-04-01 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 9 seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit.", nameof(UpstreamErrorKind.RateLimit), 9)]
    [InlineData(429, "RateLimitReached", null, "Rate limit of 10 per 60s exceeded. Please wait 21 seconds before retrying.", nameof(UpstreamErrorKind.RateLimit), 21)]
    [InlineData(429, "too_many_requests", "too_many_requests", "Too Many Requests", nameof(UpstreamErrorKind.RateLimit), null)]
    [InlineData(429, "NoCapacity", null, "The service is overloaded.", nameof(UpstreamErrorKind.Overload), null)]
    [InlineData(429, null, null, "Subscription quota exceeded.", nameof(UpstreamErrorKind.Quota), null)]
    [InlineData(429, null, null, "You exceeded your current quota, please check your plan and billing details.", nameof(UpstreamErrorKind.Quota), null)]
    [InlineData(429, null, null, "", nameof(UpstreamErrorKind.RateLimit), null)]
    [InlineData(429, "something_new", "something_else", "No.", nameof(UpstreamErrorKind.RateLimit), null)]
    [InlineData(429, "rate_limit_exceeded", "usage_limit_reached", "The usage limit has been reached", nameof(UpstreamErrorKind.Quota), null)]
    [InlineData(402, "payment_required", null, "", nameof(UpstreamErrorKind.Quota), null)]
    [InlineData(402, null, null, "", nameof(UpstreamErrorKind.Quota), null)]
    [InlineData(403, "insufficient_quota", null, "", nameof(UpstreamErrorKind.Quota), null)]
    [InlineData(401, "401", null, "Access denied due to invalid subscription key or wrong API endpoint.", nameof(UpstreamErrorKind.Authentication), null)]
    [InlineData(503, null, null, "", nameof(UpstreamErrorKind.Overload), null)]
    [InlineData(503, "server_error", "server_error", "Service Unavailable", nameof(UpstreamErrorKind.Overload), null)]
    [InlineData(500, "server_error", null, "The server had an error.", nameof(UpstreamErrorKind.Other), null)]
    [InlineData(429, "context_length_exceeded", "tokens", "Your input is too long.", nameof(UpstreamErrorKind.Other), null)]
    [InlineData(400, "context_length_exceeded", "tokens", "Your input is too long.", nameof(UpstreamErrorKind.Other), null)]
    [InlineData(400, null, null, "Your subscription does not serve this model.", nameof(UpstreamErrorKind.Other), null)]
    public void A_refusal_is_known_by_what_it_is(int? status, string? code, string? type, string message, string kind, int? wait)
    {
        var error = UpstreamError.Of(status, code, type, message, null);
        Assert.Equal((kind, (double?)wait), (error.Kind.ToString(), error.RetryAfter?.TotalSeconds));
        // Over HTTP its status comes with the answer.
        Assert.Equal(kind, UpstreamError.Of(null, code, type, message, null).With(status ?? 429, null).Kind.ToString());
    }

    [Theory]
    [InlineData("Subscription quota exceeded.\n", nameof(UpstreamErrorKind.Quota))]
    [InlineData("", nameof(UpstreamErrorKind.RateLimit))]
    [InlineData("<html><body>quota</body></html>", nameof(UpstreamErrorKind.RateLimit))]
    [InlineData("""{"detail":"You exceeded your current quota"}""", nameof(UpstreamErrorKind.Quota))]
    public void A_body_without_a_form_is_known_by_its_words(string body, string kind) =>
        Assert.Equal(kind, UpstreamError.OfText(System.Text.Encoding.UTF8.GetBytes(body)).With(429, null).Kind.ToString());

    [Theory]
    [InlineData("""{"error":"Too many requests"}""", null, "Too many requests")]
    [InlineData("""{"error":{"code":429,"message":"slow"}}""", "429", "slow")]
    public void An_error_is_read_in_the_forms_of_other_servers(string json, string? code, string message)
    {
        var error = ResponseFactsReader.Read(System.Text.Encoding.UTF8.GetBytes(json)).Error!;
        Assert.Equal((code, message), (error.Code, error.Message));
    }

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
    [InlineData("Please retry after 9 seconds.", 9.0)]
    [InlineData("Please wait 21 seconds before retrying.", 21.0)]
    [InlineData("You have waited 5 seconds.", null)]
    [InlineData("try again in 2 more days", null)]
    [InlineData("try again in a moment", null)]
    [InlineData("try again in 99999999999s", null)]
    public void A_wait_is_found_in_a_message(string message, double? seconds) => Assert.Equal(seconds, DurationText.WaitIn(message)?.TotalSeconds);
}

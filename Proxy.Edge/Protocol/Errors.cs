using Proxy.Continuity.Contracts;
using ServiceDefaults.Http;
using static Microsoft.AspNetCore.Http.StatusCodes;

namespace Proxy.Edge.Protocol;

/// <summary>Every error the edge itself can answer: its status, its code, and what the caller can do about it.</summary>
internal static class Errors
{
    public const string StreamIncomplete = "stream_incomplete";
    public const string PreviousResponseNotFoundCode = "previous_response_not_found";

    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    // The request's form.

    public static ApiError NotAnObject { get; } = new(Status400BadRequest, "invalid_json", "The request must be one JSON object.");

    public static ApiError InvalidJson(long? line, long? position) => new(Status400BadRequest, "invalid_json",
        line is null ? "The request is not valid JSON." : $"The request is not valid JSON (line {line + 1}, byte {position + 1}).");

    public static ApiError BrokenForm { get; } = new(Status400BadRequest, "invalid_form",
        "The form is not what multipart/form-data is (RFC 7578): one boundary, lines that end in CRLF, one name for each part.");

    public static ApiError RepeatedField(string field) => new(Status400BadRequest, "invalid_value", $"The field {field} is given twice.", Param: field);

    public static ApiError FieldTooLong(string field, int most) =>
        new(Status400BadRequest, "invalid_value", $"The field {field} may have at most {most} characters.", Param: field);

    public static ApiError TooManyIds(int most) =>
        new(Status400BadRequest, "invalid_value", $"The request may name at most {most} files, items and the like.", Param: "input");

    /// <summary>400 and not 413: agents answer 413 by sending the same again, several times.</summary>
    public static ApiError TooLarge(long most) => new(Status400BadRequest, "payload_too_large", $"The request is larger than {most} bytes. Send less input.", Param: "input");

    public static ApiError UnsupportedMediaType { get; } = new(Status415UnsupportedMediaType, "unsupported_media_type", "Send JSON, with the content type application/json.");

    public static ApiError UnsupportedEncoding { get; } =
        new(Status415UnsupportedMediaType, "unsupported_content_encoding", "Send the body plain or in one of zstd, gzip, deflate, br.");

    public static ApiError BrokenEncoding { get; } = new(Status400BadRequest, "invalid_content_encoding", "The body is not what its content encoding says.");

    /// <summary>The compressed body unfolds a thousand times and more: no text that is meant does.</summary>
    public static ApiError UnfoldsTooFar { get; } = new(Status400BadRequest, "payload_too_large", "The body unfolds to far more than it is; send it with less compression.", Param: "input");

    /// <summary>Chunks that are none, a body that is shorter than announced, or one that has stopped to come.</summary>
    /// <param name="idleSeconds">The longest pause a body may make.</param>
    public static ApiError BrokenBody(BadHttpRequestException fault, int idleSeconds) => fault.StatusCode == Status408RequestTimeout
        ? new(Status408RequestTimeout, "request_timeout", $"The body of the request did not come to its end: nothing of it came for {idleSeconds} seconds, or all of it took too long. Send it again.")
        : new(fault.StatusCode, "invalid_request", "The body of the request is not valid HTTP, or did not come to its end.");

    public static ApiError BinaryFrame { get; } = new(Status400BadRequest, "invalid_frame", "Send text frames, one JSON object each.");

    public static ApiError InvalidStreamId { get; } =
        new(Status400BadRequest, "invalid_stream_id", "A stream_id has 1 to 256 of the characters A-Z a-z 0-9 _ . -", Param: "stream_id");

    public static ApiError TooManyLanes(int most) =>
        new(Status400BadRequest, "websocket_stream_limit_reached", $"This connection has reached its maximum number of distinct stream IDs ({most}).", Param: "stream_id");

    public static ApiError TooManyQueued { get; } =
        new(Status429TooManyRequests, "rate_limit_exceeded", "Too many turns wait on this lane. Wait for one to end.", ApiError.RateLimit, RetryAfter: Soon);

    public static ApiError SessionsBusy { get; } =
        new(Status429TooManyRequests, "rate_limit_exceeded", "Too many turns wait for this conversation's connection, or all connections are in use. Wait for one to end.", ApiError.RateLimit, RetryAfter: Soon);

    public static ApiError NotFound(string path) => new(Status404NotFound, "unknown_url", $"Unknown request URL: {path}. See /admin/v1 and the README for what is served.");

    public static ApiError UpgradeRequired { get; } =
        new(Status426UpgradeRequired, "websockets_unavailable", "No account that is open to this key speaks WebSocket. Use HTTP.");

    // Who asks.

    public static ApiError MissingKey { get; } = new(Status401Unauthorized, "invalid_api_key", "An API key is needed: Authorization: Bearer <key>.", ApiError.Authentication);

    public static ApiError InvalidKey { get; } = new(Status401Unauthorized, "invalid_api_key", "The API key is unknown, revoked or expired.", ApiError.Authentication);

    /// <summary>What ran is over, and the same key will not do for another try.</summary>
    public static ApiError KeyEnded { get; } = new(Status401Unauthorized, "invalid_api_key",
        "The API key was revoked, has expired, or may not use this model or account any more.", ApiError.Authentication, ShouldRetry: false);

    public static ApiError InvalidForward { get; } =
        new(Status401Unauthorized, "invalid_forward_token", "This endpoint takes turns of other edges only, each once.", ApiError.Authentication);

    /// <summary>The edge that sent it here serves it itself.</summary>
    public static ApiError Misdirected { get; } = new(Status421MisdirectedRequest, "session_not_held", "This edge does not hold the session.", ApiError.Server);

    public static ApiError ForeignOrigin { get; } = new(Status403Forbidden, "origin_not_allowed", "Web pages of other origins may not connect.", ApiError.Permission);

    public static ApiError ModelNotAllowed(string? model) => new(Status403Forbidden, "model_not_allowed",
        model is null ? "This API key may use some models only: name one in the field model." : $"This API key may not use the model {model}.", ApiError.Permission, Param: "model");

    public static ApiError NeedsSoleKey { get; } =
        new(Status403Forbidden, "list_not_allowed", "Lists would show what other API keys have made; they are open only while there is one key.", ApiError.Permission);

    public static ApiError AdminElsewhere { get; } = new(Status403Forbidden, "admin_not_here",
        "The admin API is served on the gateway's internal port, and here to callers on its own machine (Edge:AdminFromAnywhere opens it).", ApiError.Permission);

    // Whose id it is.

    /// <summary>What the caller is told of an id that does not exist for it.</summary>
    public static ApiError NotFound(OwnedId id) => id.Kind == OwnedKinds.Response ? PreviousResponseNotFound(id.Id) : IdNotFound(id.Kind, id.Id);

    public static ApiError PreviousResponseNotFound(string id) =>
        new(Status400BadRequest, PreviousResponseNotFoundCode, $"Previous response with id '{id}' not found.", Param: "previous_response_id");

    /// <summary>Word for word what the API says, which has no code for it: a client cannot tell, and need not, whether we or upstream do not know the id.</summary>
    public static ApiError IdNotFound(string kind, string id) => kind == OwnedKinds.File
        ? new(Status404NotFound, null, $"No such File object: {id}", Param: "id")
        : new(Status404NotFound, null, $"{char.ToUpperInvariant(kind[0])}{kind[1..].Replace('_', ' ')} with id '{id}' not found.");

    /// <summary>A frame about a response that does not run on this connection.</summary>
    public static ApiError ResponseNotRunning(string id) => new(Status400BadRequest, "response_not_found", $"Response with id '{id}' is not active on this connection.", Param: "response_id");

    public static ApiError TwoOwners(string first, string second) =>
        new(Status400BadRequest, "conflicting_owners", $"'{first}' and '{second}' were made by different upstream accounts and cannot be used in one request.");

    public static ApiError OwnerLookupFailed { get; } = new(Status502BadGateway, "upstream_unavailable", "Previous response owner lookup failed; retry later.", ApiError.Server);

    public static ApiError SessionLookupFailed { get; } =
        new(Status502BadGateway, "upstream_unavailable", "Session lookup failed; retry later.", ApiError.Server, RetryAfter: Soon);

    public static ApiError OwnerUnavailable { get; } =
        new(Status502BadGateway, "upstream_unavailable", "Previous response owner account is unavailable; retry later.", ApiError.Server);

    public static ApiError EncryptionGone { get; } = new(Status400BadRequest, "invalid_encrypted_content",
        "The organisation that encrypted this reasoning is not served any more. Send the history without its encrypted reasoning.", Param: "input");

    // Which account serves.

    public static ApiError NoAccounts { get; } =
        new(Status503ServiceUnavailable, "no_accounts", "No upstream account is open to this API key.", ApiError.Server, ShouldRetry: false);

    public static ApiError ModelNotServed(string? model) => new(Status404NotFound, "model_not_found", $"No upstream account serves the model {model}.", Param: "model");

    /// <summary>Every account is exhausted, or, where a model is named, every account for this model.</summary>
    public static ApiError Exhausted(DateTimeOffset? resetsAt, string? model, DateTimeOffset now) => model is null ? PoolExhausted(resetsAt, now) : PoolExhausted(resetsAt, now) with
    {
        Code = "rate_limit_exceeded",
        Type = ApiError.RateLimit,
        Message = $"Every upstream account has reached its rate limit for the model {model}.",
    };

    /// <summary>
    /// Clients obey any Retry-After and would hang for hours: a long wait is told as <c>resets_at</c> and not retried.
    /// </summary>
    public static ApiError PoolExhausted(DateTimeOffset? resetsAt, DateTimeOffset now)
    {
        var wait = resetsAt - now;
        var isShort = wait <= TimeSpan.FromSeconds(60);
        return new ApiError(Status429TooManyRequests, "usage_limit_reached", "Every upstream account has reached its usage limit.", "usage_limit_reached",
            RetryAfter: isShort ? Max(wait!.Value, Soon) : null, ShouldRetry: isShort ? null : false, ResetsAt: resetsAt);
    }

    public static ApiError AtCapacity { get; } =
        new(Status429TooManyRequests, "concurrency_limit_reached", "Every upstream account runs as many turns as it may. Come back in a moment.", ApiError.RateLimit, RetryAfter: Soon);

    public static ApiError Recovering { get; } =
        new(Status503ServiceUnavailable, "admission_unavailable", "The gateway is counting its running turns anew. Come back in a moment.", ApiError.Server, RetryAfter: Soon);

    /// <summary>503 and not 429: agents wait and send it again, instead of taking it for the end of their quota.</summary>
    public static ApiError NoMemory { get; } = new(Status503ServiceUnavailable, "server_is_overloaded",
        "The requests in flight take all the memory there is for them. Send it again in a moment, or send less at once.", ApiError.Server, RetryAfter: Soon);

    public static ApiError SpoolFull { get; } =
        new(Status503ServiceUnavailable, "log_spool_full", "The gateway cannot log more turns until its log store is back.", ApiError.Server, RetryAfter: TimeSpan.FromSeconds(5));

    // What upstream did.

    public static ApiError UpstreamUnreachable { get; } = new(Status502BadGateway, "upstream_unavailable", "The upstream account could not be reached; retry later.", ApiError.Server);

    /// <summary>What upstream answered instead of opening a socket; null for nothing at all.</summary>
    public static ApiError Unreachable(UpstreamError? refusal) => refusal is null
        ? UpstreamUnreachable
        : HandshakeRefused(refusal with
        {
            // An answer that is no refusal, and one that would cost the client its WebSocket for the whole session: both are the account's trouble.
            Status = refusal.Status is null or < 400 or Status426UpgradeRequired or >= 500 ? Status503ServiceUnavailable : refusal.Status,
        }, refusal.Status);

    /// <summary>An upgrade that was refused for what the turn asks, in the form of a frame.</summary>
    public static ApiError HandshakeRefused(UpstreamError refusal, int? status) => new(
        refusal.Status ?? Status502BadGateway, refusal.Code ?? "upstream_unavailable", $"The upstream account refused the connection with status {status}.", ApiError.Server,
        RetryAfter: refusal.RetryAfter, ResetsAt: refusal.ResetsAt);

    /// <summary>Upstream's own error, where its bytes cannot be passed on: an answer that came when the client's had begun already.</summary>
    public static ApiError OfUpstream(UpstreamError error) => new(
        error.Status ?? Status502BadGateway, error.Code ?? "upstream_error", error.Message ?? "Upstream refused the request.", ApiError.Server, error.Param, ResetsAt: error.ResetsAt);

    /// <summary>A redirect, or a body that is no response: something in between answers, or the base URL is wrong.</summary>
    public static ApiError NoResponse { get; } =
        new(Status502BadGateway, "upstream_bad_answer", "The upstream account's address answers with something that is no response; an administrator has to look at it. Retry later.", ApiError.Server);

    /// <summary>The request may have run: repeating it could run it twice.</summary>
    public static ApiError UpstreamFailedAfterSend { get; } =
        new(Status502BadGateway, StreamIncomplete, "Upstream ended the request without an answer. It may have been executed.", ApiError.Server, ShouldRetry: false);

    public static ApiError UpstreamRefusedCredential { get; } =
        new(Status502BadGateway, "upstream_authentication_failed", "The upstream account refuses its credential; an administrator has to renew it.", ApiError.Server);

    public static ApiError UpstreamTimeout { get; } = new(Status504GatewayTimeout, "upstream_request_timeout", "Upstream did not answer in time.", ApiError.Server, ShouldRetry: false);

    public static ApiError StreamCut { get; } =
        new(Status502BadGateway, StreamIncomplete, "Upstream closed the stream before response.completed.", ApiError.Server);

    public static ApiError SocketCut(int? closeCode) => new(Status502BadGateway, StreamIncomplete,
        closeCode is null ? "Upstream websocket closed before response.completed" : $"Upstream websocket closed before response.completed (close_code={closeCode})", ApiError.Server);

    /// <summary>In a log row and, since a socket's turn has to end, in a frame; a stream just ends.</summary>
    public static ApiError RunsOn { get; } = new(Status502BadGateway, StreamIncomplete,
        "The stream has ended; the response runs on in the background. Go on with GET /v1/responses/{id}?stream=true&starting_after={sequence_number}.", ApiError.Server, ShouldRetry: false);

    /// <summary>Close code 1009: upstream takes no frame of this size.</summary>
    public static ApiError FrameTooLarge { get; } =
        new(Status400BadRequest, "payload_too_large", "The request is larger than upstream accepts in one WebSocket message. Send less input.", Param: "input");

    public static ApiError StreamIdle { get; } = new(Status504GatewayTimeout, "stream_idle_timeout", "Upstream was silent for too long.", ApiError.Server);

    public static ApiError EventTooLarge { get; } = new(Status502BadGateway, "stream_event_too_large", "Upstream sent an event that is too large to relay.", ApiError.Server);

    /// <summary>What was made of it is not kept; nothing of what its connection knew is known to the other edge.</summary>
    public static ApiError SessionLost { get; } =
        new(Status502BadGateway, StreamIncomplete, "Another edge of the gateway has taken the conversation over; its connection here is closed.", ApiError.Server, ShouldRetry: false);

    public static ApiError LeaseLost { get; } =
        new(Status503ServiceUnavailable, StreamIncomplete, "The gateway lost its claim on the upstream account and stopped the turn.", ApiError.Server);

    /// <summary>Another edge will take it, or this one when it is back.</summary>
    public static ApiError ShuttingDown { get; } =
        new(Status503ServiceUnavailable, StreamIncomplete, "The gateway is shutting down; send it again on a new connection.", ApiError.Server, RetryAfter: Soon);

    public static ApiError ClientLeft { get; } = new(Status499ClientClosedRequest, "client_closed_request", "The client left.", ApiError.Server);

    public static ApiError InternalFault { get; } = new(Status500InternalServerError, "internal_error", "The gateway failed to handle the request.", ApiError.Server);

    public static ApiError ServiceUnavailable(string service) =>
        new(Status503ServiceUnavailable, "service_unavailable", $"The gateway's {service} service does not answer; retry later.", ApiError.Server, RetryAfter: Soon);

    private static TimeSpan Max(TimeSpan first, TimeSpan second) => first > second ? first : second;
}

using Simulator.Scripts;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>The forms in which upstream says no to a turn.</summary>
internal static class Rejections
{
    private const string NotFoundMessage = "Previous response with id '{previous_response_id}' not found.";

    // Frames that no step can write.
    private const string InLines = """
        {
          "type": "error",
          "status": 400,
          "error": {
            "type": "invalid_request_error",
            "code": "previous_response_not_found",
            "message": "Previous response with id '{previous_response_id}' not found.",
            "param": "previous_response_id"
          }
        }
        """;

    private const string StatusCode =
        """{"type":"error","status_code":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"lost","param":"previous_response_id"}}""";

    private const string CodeAsStatus =
        """{"type":"response.failed","response":{"error":{"type":"previous_response_not_found","message":"lost"},"status":"failed"}}""";

    /// <summary>Every form of a not-found, by name.</summary>
    public static readonly string[] NotFound =
        ["code", "invalid", "type", "message", "no id", "flat", "foreign id", "lines", "status_code", "failed", "failed invalid", "failed type", "failed message", "failed foreign", "failed anonymous"];

    /// <summary>A rejection as an <c>error</c> frame or event, or as <c>response.failed</c> of a response that was never announced.</summary>
    public static RuleBuilder Rejects(this RuleBuilder rule, string shape, int status, string? code, string message = "Scripted.", string type = "server_error", Position after = default) => shape switch
    {
        "error" => rule.Then(new ErrorStep { After = after, Status = status, Code = code, Type = type, Message = message }),
        "failed" => rule.Then(new FailedStep { After = after, Code = code, Message = message }),
        _ => throw new ArgumentOutOfRangeException(nameof(shape), shape, null),
    };

    /// <summary>One of <see cref="NotFound"/>, over a WebSocket.</summary>
    public static RuleBuilder SaysNotFound(this RuleBuilder rule, string shape = "code", Position after = default)
    {
        var error = new ErrorStep { After = after, Status = 400, Code = "previous_response_not_found", Message = NotFoundMessage, Param = "previous_response_id" };
        var failed = new FailedStep { After = after, Type = "invalid_request_error", Code = error.Code, Message = NotFoundMessage, Param = error.Param };
        return shape switch
        {
            "code" => rule.Then(error),
            "invalid" => rule.Then(error with { Code = "invalid_request_error" }),
            "type" => rule.Then(error with { Type = "previous_response_not_found", Code = null, Param = null }),
            "message" => rule.Then(error with { Code = null, Param = null, Message = "Invalid `previous_response_id`." }),
            "no id" => rule.Then(error with { Code = "invalid_request_error", Message = "Previous  response\nnot found." }),
            "flat" => rule.Then(error with { Flat = true }),
            "foreign id" => rule.Then(error with { ResponseId = "resp_foreign" }),
            "lines" => rule.Writes(InLines, after).Leaves(after),
            "status_code" => rule.Writes(StatusCode, after).Leaves(after),
            "failed" => rule.Then(failed),
            "failed invalid" => rule.Then(failed with { Code = "invalid_request_error" }),
            "failed type" => rule.Writes(CodeAsStatus, after).Leaves(after),
            "failed message" => rule.Then(failed with { Code = null, Param = null, Message = "Invalid `previous_response_id`." }),
            "failed foreign" => rule.Then(failed with { ResponseId = "resp_foreign" }),
            "failed anonymous" => rule.Then(failed with { Anonymous = true }),
            _ => throw new ArgumentOutOfRangeException(nameof(shape), shape, null),
        };
    }

    /// <summary>Ends the connection before a terminal event, in one of its ways.</summary>
    public static RuleBuilder Breaks(this RuleBuilder rule, string how, Position after = default) => how switch
    {
        "cut" => rule.Cuts(after),
        "eof" => rule.Ends(after),
        _ => rule.Closes(int.Parse(how, System.Globalization.CultureInfo.InvariantCulture), after),
    };
}

using Simulator.Scripts;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Rejections as upstream tells them over HTTP.</summary>
internal static class HttpRejections
{
    /// <summary>A rejection as an HTTP status, or as the first event of a stream.</summary>
    public static RuleBuilder RejectsOverHttp(
        this RuleBuilder rule, string shape, int status, string code, string message = "Scripted.", params (string Name, string Value)[] headers) => shape switch
        {
            "status" => rule.Refuses(status, code, message, headers),
            "error" => rule.Then(new ErrorStep { Code = code, Message = message }),
            _ => rule.Then(new FailedStep { Code = code, Message = message }),
        };

    /// <summary>A not-found as an HTTP status or as an event.</summary>
    public static RuleBuilder SaysNotFoundOverHttp(this RuleBuilder rule, string shape, Position after = default)
    {
        const string code = "previous_response_not_found";
        const string param = "previous_response_id";
        const string message = "Previous response with id '{previous_response_id}' not found.";
        const string invalid = "Invalid `previous_response_id`.";
        return shape switch
        {
            "status" => rule.Then(new StatusStep(400) { Code = code, Param = param, Message = "Previous response with id 'resp_lost' not found." }),
            "status invalid" => rule.Then(new StatusStep(400) { Code = "invalid_request_error", Param = param, Message = "Previous response with id 'resp_lost' not found." }),
            "status message" => rule.Then(new StatusStep(400) { Message = invalid }),
            "status type" => rule.Then(new StatusStep(404) { Type = code, Message = "lost" }),
            "error" => rule.Then(new ErrorStep { After = after, Code = code, Param = param, Message = message }),
            "error message" => rule.Then(new ErrorStep { After = after, Message = invalid }),
            "failed" => rule.Then(new FailedStep { After = after, Code = code, Param = param, Message = message }),
            "failed anonymous" => rule.Then(new FailedStep { After = after, Code = code, Message = "lost", Anonymous = true }),
            "failed foreign" => rule.Then(new FailedStep { After = after, Code = code, Message = message, ResponseId = "resp_foreign" }),
            _ => rule.Writes($$"""
                data: {
                data:   "type": "error",
                data:   "error": { "code": "{{code}}", "message": "lost" }
                data: }
                """.ReplaceLineEndings("\n") + "\n\n", after).Ends(after),
        };
    }
}

using System.Text;
using System.Text.Json;
using Simulator.Responses;
using Simulator.Scripts;

namespace Simulator.Turns;

/// <summary>An HTTP error, scripted or the simulator's own.</summary>
internal static class Refusal
{
    public static async ValueTask WriteAsync(HttpContext context, StatusStep refusal, CancellationToken cancellationToken)
    {
        var (body, isText) = refusal.Body switch
        {
            null => (new ApiError(refusal.Status, refusal.Code, refusal.Message, refusal.Param, refusal.Type).Envelope(), false),
            { ValueKind: JsonValueKind.String } text => (Encoding.UTF8.GetBytes(text.GetString()!), true),
            { } json => (Encoding.UTF8.GetBytes(json.GetRawText()), false),
        };
        context.Response.StatusCode = refusal.Status;
        context.Response.ContentType = isText ? "text/plain; charset=utf-8" : "application/json";
        foreach (var (name, value) in refusal.Headers)
        {
            context.Response.Headers[name] = value;
        }

        await WriteBodyAsync(context, body, cancellationToken);
    }

    public static async ValueTask WriteAsync(HttpContext context, ApiError error, CancellationToken cancellationToken)
    {
        context.Response.StatusCode = error.Status;
        context.Response.ContentType = "application/json";
        await WriteBodyAsync(context, error.Envelope(), cancellationToken);
    }

    private static async ValueTask WriteBodyAsync(HttpContext context, byte[] body, CancellationToken cancellationToken)
    {
        if (context.Response.StatusCode is not (204 or 304))
        {
            context.Response.ContentLength = body.Length;
            await context.Response.BodyWriter.WriteAsync(body, cancellationToken);
        }
    }
}

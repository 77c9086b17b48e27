using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace ServiceDefaults.Http;

/// <summary>
/// An error as the OpenAI API tells it: <c>{"error":{"message","type","code","param"}}</c>, all four keys always there.
/// </summary>
/// <param name="Status">HTTP status, also the <c>status</c> of a WebSocket error frame.</param>
/// <param name="Code">Machine-readable code; null where the API has none.</param>
/// <param name="Message">What happened and what the caller can do about it.</param>
/// <param name="Type">The error family, for example <c>invalid_request_error</c>.</param>
/// <param name="Param">The field at fault.</param>
/// <param name="RetryAfter">When to come back. Clients obey any number, so long waits say <see cref="ShouldRetry"/> = false instead.</param>
/// <param name="ShouldRetry">Told to OpenAI SDKs as <c>x-should-retry</c>; null leaves it to them.</param>
/// <param name="ResetsAt">When an exhausted limit is whole again.</param>
public sealed record ApiError(
    int Status, string? Code, string Message, string Type = ApiError.InvalidRequest, string? Param = null,
    TimeSpan? RetryAfter = null, bool? ShouldRetry = null, DateTimeOffset? ResetsAt = null)
{
    /// <summary>The caller must change the request.</summary>
    public const string InvalidRequest = "invalid_request_error";

    /// <summary>The caller's key is missing or wrong.</summary>
    public const string Authentication = "authentication_error";

    /// <summary>The caller's key may not do this.</summary>
    public const string Permission = "permission_error";

    /// <summary>The caller must slow down.</summary>
    public const string RateLimit = "rate_limit_error";

    /// <summary>Not the caller's fault.</summary>
    public const string Server = "server_error";

    /// <summary>Writes status, headers and body, unless a body has begun: then the connection is cut, which no client takes for success.</summary>
    public async Task WriteAsync(HttpContext context)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }
        context.Response.StatusCode = Status;
        context.Response.ContentType = "application/json";
        if (RetryAfter is { } wait)
        {
            context.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        }
        if (ShouldRetry is { } retry)
        {
            context.Response.Headers["x-should-retry"] = retry ? "true" : "false";
        }
        // Quotes as quotes: JSON that nobody puts into a page.
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        writer.WriteStartObject();
        writer.WritePropertyName("error");
        WriteObject(writer);
        writer.WriteEndObject();
        await writer.FlushAsync(context.RequestAborted);
    }

    /// <summary>Writes the object that stands behind <c>"error":</c> in bodies, frames and events.</summary>
    public void WriteObject(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("message", Message);
        writer.WriteString("type", Type);
        writer.WriteString("code", Code);
        writer.WriteString("param", Param);
        if (ResetsAt is { } resets)
        {
            writer.WriteNumber("resets_at", resets.ToUnixTimeSeconds());
        }
        writer.WriteEndObject();
    }
}

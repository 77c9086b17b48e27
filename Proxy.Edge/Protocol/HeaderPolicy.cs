using System.Collections.Frozen;
using System.Net.Http.Headers;
using Microsoft.Extensions.Primitives;
using ServiceDefaults.Http;

namespace Proxy.Edge.Protocol;

/// <summary>Which headers go on. What is not listed here passes as it came: the edge never makes one client look like another.</summary>
internal static class HeaderPolicy
{
    // RFC 9110 section 7.6.1: headers of one connection, not of the message.
    private static readonly string[] HopByHop =
        ["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings"];

    // What would carry the client's identity to the account, or the account's choice to the client.
    private static readonly string[] NeverForwarded =
    [
        "authorization", "api-key", "x-api-key", "cookie", "openai-organization", "openai-project", "chatgpt-account-id", "x-openai-account-routing-override",
        "forwarded", "x-real-ip", InternalToken.Header, WireHeaders.Forwarded,
    ];

    // Those the request to upstream sets for itself.
    private static readonly string[] SetAnew = ["host", "content-length", "expect"];

    private static readonly FrozenSet<string> DroppedFromRequests =
        FrozenSet.ToFrozenSet([.. HopByHop, .. NeverForwarded, .. SetAnew], StringComparer.OrdinalIgnoreCase);

    // What is about the account's server, which the client does not talk to; and what only we may say.
    private static readonly FrozenSet<string> DroppedFromResponses = FrozenSet.ToFrozenSet(
        [.. HopByHop, "set-cookie", "alt-svc", "strict-transport-security", "location", "refresh", "server", WireHeaders.Continuity, WireHeaders.Forwarded], StringComparer.OrdinalIgnoreCase);

    /// <summary>True for a request header that goes upstream.</summary>
    public static bool GoesUpstream(string name) =>
        !DroppedFromRequests.Contains(name)
        && !name.StartsWith("x-forwarded-", StringComparison.OrdinalIgnoreCase)
        && !name.StartsWith("sec-websocket-", StringComparison.OrdinalIgnoreCase)
        && !name.StartsWith(':');

    /// <summary>True for a response header that goes to the client.</summary>
    public static bool GoesDownstream(string name) =>
        !DroppedFromResponses.Contains(name)
        && !name.StartsWith("sec-websocket-", StringComparison.OrdinalIgnoreCase)
        // Which pages may read our answers is not upstream's to say.
        && !name.StartsWith("access-control-", StringComparison.OrdinalIgnoreCase);

    /// <summary>Copies what goes upstream, but for the headers named.</summary>
    public static void CopyUpstream(IHeaderDictionary from, HttpRequestMessage to, params ReadOnlySpan<string> except)
    {
        // RFC 9110 section 7.6.1: so are those that Connection names.
        var ofTheConnection = from.GetCommaSeparatedValues("Connection");
        foreach (var (name, values) in from)
        {
            if (!GoesUpstream(name) || Contains(except, name) || Contains(ofTheConnection, name))
            {
                continue;
            }
            if (!to.Headers.TryAddWithoutValidation(name, (IEnumerable<string>)values))
            {
                to.Content?.Headers.TryAddWithoutValidation(name, (IEnumerable<string>)values);
            }
        }
    }

    /// <summary>Copies what goes to the client, over what we have set: upstream's own <c>x-request-id</c> is the one to ask its support with.</summary>
    public static void CopyDownstream(HttpResponseMessage from, IHeaderDictionary to)
    {
        Copy(from.Headers.NonValidated, to);
        Copy(from.Content.Headers.NonValidated, to);
    }

    /// <summary>The same for the answer to a turn, whose body goes on decoded.</summary>
    public static void CopyTurnHeaders(HttpResponseMessage from, IHeaderDictionary to)
    {
        CopyDownstream(from, to);
        to.ContentEncoding = StringValues.Empty;
    }

    /// <summary>A header of an answer, or null.</summary>
    public static string? ValueOf(HttpResponseMessage response, string name) =>
        response.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;

    /// <summary>True for an answer that is a stream of events.</summary>
    public static bool IsEventStream(HttpResponseMessage response) =>
        response.IsSuccessStatusCode && response.Content.Headers.ContentType?.MediaType?.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase) == true;

    private static void Copy(HttpHeadersNonValidated from, IHeaderDictionary to)
    {
        foreach (var (name, values) in from)
        {
            if (GoesDownstream(name) && !values.Any(HasControls))
            {
                to[name] = values.Count == 1 ? new StringValues(values.ToString()) : new StringValues([.. values]);
            }
        }
    }

    // RFC 9110 section 5.5. Kestrel refuses to write one, and with it the whole answer.
    private static bool HasControls(string value) => value.AsSpan().ContainsAnyInRange('\0', '\u001f') || value.Contains('\u007f');

    private static bool Contains(ReadOnlySpan<string> names, string name)
    {
        foreach (var other in names)
        {
            if (string.Equals(other, name, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }
        return false;
    }
}

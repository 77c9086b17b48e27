using Proxy.Edge.Protocol;

namespace Proxy.Edge.Upstream;

/// <summary>Bodies of upstream's answers, plain: what is scanned on its way must be readable, and some servers encode although they were asked not to.</summary>
internal static class UpstreamAnswers
{
    /// <summary>The body; one in a coding that nobody here reads as the bytes it is.</summary>
    public static async Task<Stream> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        return ContentCodings.Decode(string.Join(',', response.Content.Headers.ContentEncoding), body) ?? body;
    }

    /// <summary>True if reading it failed for what upstream or the connection did.</summary>
    public static bool IsBroken(Exception exception) => exception is HttpRequestException or IOException || ContentCodings.IsBroken(exception);
}

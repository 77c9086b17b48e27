using System.Net;

namespace Proxy.Edge.Callers;

/// <summary>
/// Tells a program on this machine that talks to us directly from a web page, and from somebody else behind a proxy on this machine: only the first needs no key in loopback mode.
/// </summary>
internal static class DirectLoopback
{
    // What proxies and content networks add, each for the address or the scheme of the caller behind them.
    private static readonly HashSet<string> ProxyHeaders = new(StringComparer.OrdinalIgnoreCase)
    {
        "Forwarded", "Via", "X-Real-IP", "X-Client-IP", "Client-IP", "True-Client-IP", "X-Cluster-Client-IP", "X-Remote-IP", "X-Remote-Addr", "X-Host",
        "X-ProxyUser-Ip", "X-Url-Scheme", "Front-End-Https", "CDN-Loop", "Proxy-Connection",
    };

    private static readonly string[] ProxyPrefixes =
        ["X-Forwarded", "X-Original-", "CF-", "X-Envoy-", "X-Azure-", "X-ARR-", "X-Amz", "X-Cloud-Trace-", "Fly-", "Fastly-", "X-Vercel-", "X-Nginx-", "Tailscale-", "Ngrok-"];

    /// <summary>Whether a request comes from such a program.</summary>
    public static bool IsCaller(HttpContext context) => IsOnThisMachine(context) && !IsWebPage(context.Request.Headers);

    /// <summary>Whether it comes from this machine, and not through a proxy: a program's, or a page's that a browser here shows.</summary>
    public static bool IsOnThisMachine(HttpContext context) =>
        context.Connection.RemoteIpAddress is { } peer && IPAddress.IsLoopback(peer)
        && IsLoopbackHost(context.Request.Host.Host)
        // nginx, left as it is, asks by HTTP/1.0 and says nothing of whom it asks for; programs of this century do not.
        && !HttpProtocol.IsHttp10(context.Request.Protocol) && !HttpProtocol.IsHttp09(context.Request.Protocol)
        && !context.Request.Headers.Any(header => IsOfProxy(header.Key));

    private static bool IsWebPage(IHeaderDictionary headers) =>
        headers.ContainsKey("Origin")
        // A page may send simple requests across origins without Origin; browsers say so here (Fetch Metadata).
        || (headers.TryGetValue("Sec-Fetch-Site", out var site) && site.ToString() is not ("none" or "same-origin"));

    private static bool IsOfProxy(string header) =>
        ProxyHeaders.Contains(header) || Array.Exists(ProxyPrefixes, prefix => header.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));

    private static bool IsLoopbackHost(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}

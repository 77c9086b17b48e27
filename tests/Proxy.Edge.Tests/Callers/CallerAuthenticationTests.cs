using System.Net;
using Microsoft.AspNetCore.Http;
using Proxy.Edge.Callers;

namespace Proxy.Edge.Tests.Callers;

public sealed class CallerAuthenticationTests
{
    [Theory]
    [InlineData("127.0.0.1", "localhost:4455", null, true)]
    [InlineData("127.0.0.9", "127.0.0.1:4455", null, true)]
    [InlineData("::1", "[::1]:4455", null, true)]
    [InlineData("::ffff:127.0.0.1", "LOCALHOST", null, true)]
    [InlineData("10.0.0.1", "localhost:4455", null, false)]
    [InlineData(null, "localhost", null, false)]
    // A name that resolves to loopback is how a web page gets here.
    [InlineData("127.0.0.1", "evil.example:4455", null, false)]
    [InlineData("127.0.0.1", "127.0.0.1.evil.example", null, false)]
    [InlineData("127.0.0.1", "localhost.evil.example", null, false)]
    [InlineData("127.0.0.1", "", null, false)]
    [InlineData("127.0.0.1", "10.0.0.1", null, false)]
    [InlineData("127.0.0.1", "localhost", "Origin: http://localhost", false)]
    [InlineData("127.0.0.1", "localhost", "Origin: null", false)]
    [InlineData("127.0.0.1", "localhost", "Forwarded: for=1.2.3.4", false)]
    [InlineData("127.0.0.1", "localhost", "x-forwarded-for: 1.2.3.4", false)]
    [InlineData("127.0.0.1", "localhost", "X-Forwarded-Proto: https", false)]
    [InlineData("127.0.0.1", "localhost", "Via: 1.1 varnish", false)]
    [InlineData("127.0.0.1", "localhost", "x-real-ip: 1.2.3.4", false)]
    [InlineData("127.0.0.1", "localhost", "True-Client-IP: 1.2.3.4", false)]
    [InlineData("127.0.0.1", "localhost", "CF-Connecting-IP: 1.2.3.4", false)]
    [InlineData("127.0.0.1", "localhost", "X-Envoy-External-Address: 1.2.3.4", false)]
    [InlineData("127.0.0.1", "localhost", "Sec-Fetch-Site: cross-site", false)]
    [InlineData("127.0.0.1", "localhost", "Sec-Fetch-Site: same-site", false)]
    [InlineData("127.0.0.1", "localhost", "Sec-Fetch-Site: ", false)]
    [InlineData("127.0.0.1", "localhost", "Sec-Fetch-Site: none", true)]
    [InlineData("127.0.0.1", "localhost", "Sec-Fetch-Site: same-origin", true)]
    [InlineData("127.0.0.1", "localhost", "user-agent: x", true)]
    [InlineData("127.0.0.1", "localhost", "x-stainless-os: Linux", true)]
    public void Only_a_program_on_this_machine_that_talks_to_us_directly_is_loopback(string? peer, string host, string? header, bool isLoopback)
    {
        var context = With(host, header);
        context.Connection.RemoteIpAddress = peer is null ? null : IPAddress.Parse(peer);
        Assert.Equal(isLoopback, DirectLoopback.IsCaller(context));
    }

    [Theory]
    [InlineData("HTTP/1.0", false)]
    [InlineData("HTTP/1.1", true)]
    [InlineData("HTTP/2", true)]
    public void A_proxy_that_asks_by_HTTP_1_0_is_not_loopback(string protocol, bool isLoopback)
    {
        var context = With("localhost", null);
        context.Connection.RemoteIpAddress = IPAddress.Loopback;
        context.Request.Protocol = protocol;
        Assert.Equal(isLoopback, DirectLoopback.IsCaller(context));
    }

    [Theory]
    [InlineData("localhost:4455", null, false)]
    [InlineData("localhost:4455", "Origin: http://localhost:4455", false)]
    [InlineData("LocalHost:4455", "Origin: http://localhost:4455", false)]
    [InlineData("localhost:4455", "Origin: http://localhost:4456", true)]
    [InlineData("localhost:4455", "Origin: https://evil.example", true)]
    [InlineData("localhost:4455", "Origin: null", true)]
    [InlineData("localhost:4455", "Origin: ", true)]
    public void An_origin_is_foreign_unless_it_is_our_own(string host, string? header, bool isForeign) =>
        Assert.Equal(isForeign, CallerAuthentication.HasForeignOrigin(With(host, header).Request));

    private static DefaultHttpContext With(string host, string? header)
    {
        var context = new DefaultHttpContext();
        context.Request.Host = new HostString(host);
        context.Request.Protocol = "HTTP/1.1";
        if (header?.Split(": ", 2) is [var name, var value])
        {
            context.Request.Headers[name] = value;
        }
        return context;
    }
}

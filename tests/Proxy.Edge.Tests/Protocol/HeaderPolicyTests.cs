using Microsoft.AspNetCore.Http;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Tests.Protocol;

public sealed class HeaderPolicyTests
{
    [Theory]
    [InlineData("authorization")]
    [InlineData("Authorization")]
    [InlineData("api-key")]
    [InlineData("x-api-key")]
    [InlineData("cookie")]
    [InlineData("openai-organization")]
    [InlineData("OpenAI-Project")]
    [InlineData("chatgpt-account-id")]
    [InlineData("x-openai-account-routing-override")]
    [InlineData("forwarded")]
    [InlineData("x-forwarded-for")]
    [InlineData("X-Forwarded-Whatever")]
    [InlineData("x-real-ip")]
    [InlineData("host")]
    [InlineData("content-length")]
    [InlineData("connection")]
    [InlineData("upgrade")]
    [InlineData("te")]
    [InlineData("transfer-encoding")]
    [InlineData("proxy-authorization")]
    [InlineData("sec-websocket-key")]
    [InlineData("sec-websocket-extensions")]
    [InlineData(":path")]
    public void What_belongs_to_the_client_or_the_connection_stays(string name) => Assert.False(HeaderPolicy.GoesUpstream(name));

    [Theory]
    [InlineData("user-agent")]
    [InlineData("originator")]
    [InlineData("session-id")]
    [InlineData("thread-id")]
    [InlineData("x-codex-turn-metadata")]
    [InlineData("openai-beta")]
    [InlineData("x-stainless-retry-count")]
    [InlineData("traceparent")]
    [InlineData("idempotency-key")]
    [InlineData("x-anything-else")]
    public void All_else_goes_upstream(string name) => Assert.True(HeaderPolicy.GoesUpstream(name));

    [Theory]
    [InlineData("set-cookie", false)]
    [InlineData("connection", false)]
    [InlineData("transfer-encoding", false)]
    [InlineData("alt-svc", false)]
    [InlineData("sec-websocket-accept", false)]
    [InlineData("x-request-id", true)]
    [InlineData("x-codex-turn-state", true)]
    [InlineData("x-codex-primary-used-percent", true)]
    [InlineData("retry-after", true)]
    [InlineData("x-ratelimit-remaining-tokens", true)]
    [InlineData("content-type", true)]
    public void The_client_gets_what_is_meant_for_it(string name, bool goes) => Assert.Equal(goes, HeaderPolicy.GoesDownstream(name));

    [Fact]
    public void Values_are_copied_as_they_came()
    {
        var from = new HeaderDictionary { ["x-many"] = new(["a", "b"]), ["content-type"] = "application/json; odd", ["accept"] = "weird;;", ["x-skip"] = "1", ["cookie"] = "c", ["connection"] = "close, X-Hop", ["x-hop"] = "1" };
        using var to = new HttpRequestMessage { Content = new ByteArrayContent([]) };
        HeaderPolicy.CopyUpstream(from, to, "X-Skip");
        Assert.Equal(["a", "b"], to.Headers.NonValidated["x-many"]);
        Assert.Equal("weird;;", to.Headers.NonValidated["accept"].ToString());
        Assert.Equal("application/json; odd", to.Content.Headers.NonValidated["content-type"].ToString());
        Assert.False(to.Headers.Contains("x-skip"));
        Assert.False(to.Headers.Contains("cookie"));
        Assert.False(to.Headers.Contains("x-hop"));
    }
}

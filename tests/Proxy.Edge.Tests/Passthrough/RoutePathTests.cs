using Microsoft.AspNetCore.Routing;
using Proxy.Edge.Passthrough;

namespace Proxy.Edge.Tests.Passthrough;

public sealed class RoutePathTests
{
    [Theory]
    [InlineData("file-1", true)]
    [InlineData("resp_0a.b:c-D", true)]
    [InlineData("...", true)]
    [InlineData("", false)]
    [InlineData(".", false)]
    [InlineData("..", false)]
    [InlineData("a%2Fb", false)]
    [InlineData("a/b", false)]
    [InlineData("a\\b", false)]
    [InlineData("a;b", false)]
    [InlineData("a b", false)]
    [InlineData("ü", false)]
    [InlineData("a?b", false)]
    public void Ids_are_of_a_few_characters(string segment, bool isId) => Assert.Equal(isId, RoutePath.IsId(segment));

    [Fact]
    public void A_path_is_made_of_its_pattern_and_its_ids()
    {
        var values = new RouteValueDictionary { ["id"] = "conv_1", ["item"] = "msg_1" };
        Assert.Equal("/conversations/conv_1/items/msg_1", RoutePath.Of("/conversations/{id}/items/{item}", values));
        Assert.Equal("/files", RoutePath.Of("/files", values));
        values["item"] = "..";
        Assert.Null(RoutePath.Of("/conversations/{id}/items/{item}", values));
        Assert.False(RoutePath.IsId(new string('a', 513)));
    }
}

using System.Text;
using AppHost.Configuration;
using AppHost.Topology;

namespace AppHost.Tests;

public sealed class SeedSummaryTests
{
    [Fact]
    public void Accounts_are_named_and_their_servers_listed_once()
    {
        var summary = Of("""
            {"accounts":[{"name":"a","baseUrl":"https://api.openai.com/v1","credential":{"kind":"bearer","token":"sk-1"}},
                         {"name":"b","baseUrl":"https://api.openai.com/v1/"},{"name":"c","baseUrl":"http://127.0.0.1:8080/v1"},{"name":"d","baseUrl":"ftp://x"}]}
            """);

        Assert.Equal("a, b, c, d", summary.ToString());
        Assert.Equal([new Uri("https://api.openai.com/"), new Uri("http://127.0.0.1:8080/")], summary.Servers);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"accounts":null,"apiKeys":[]}""")]
    public void A_seed_without_accounts_has_none(string seed) => Assert.Equal("no accounts", Of(seed).ToString());

    [Fact]
    public void Of_very_many_accounts_only_the_first_are_named()
    {
        var accounts = Enumerable.Range(0, 50_000).Select(number => $$"""{"name":"account-{{number}}","baseUrl":"https://upstream.example/v1"}""");

        var summary = Of($$"""{"accounts":[{{string.Join(',', accounts)}}]}""");

        Assert.EndsWith("account-7 and 49992 more", summary.ToString(), StringComparison.Ordinal);
        Assert.Equal([new Uri("https://upstream.example")], summary.Servers);
    }

    [Theory]
    [InlineData("https://api.openai.com", "upstream-api-openai-com")]
    [InlineData("http://127.0.0.1:8080", "upstream-127-0-0-1-8080")]
    [InlineData("https://NAME--x.openai.azure.com", "upstream-name-x-openai-azure-com")]
    public void A_server_is_a_resource_by_its_address(string server, string name) => Assert.Equal(name, Upstreams.NameOf(new Uri(server)));

    private static SeedSummary Of(string seed) => SeedSummary.Of(new MemoryStream(Encoding.UTF8.GetBytes(seed)));
}

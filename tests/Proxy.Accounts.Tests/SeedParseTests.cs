using Proxy.Accounts.Admin;

namespace Proxy.Accounts.Tests;

public sealed class SeedParseTests
{
    private const string Secret = "sk-VerySecretToken0123456789";

    [Theory]
    [InlineData(null)]
    [InlineData("  ")]
    public void No_text_is_no_seed(string? text) => Assert.Null(SeedDocument.Parse(text));

    [Fact]
    public void A_seed_is_read_whole()
    {
        var seed = SeedDocument.Parse($$"""
            {"accounts":[{"name":"a","baseUrl":"https://a.test/v1","credential":{"kind":"bearer","token":"{{Secret}}"},"weight":2}],
             "apiKeys":[{"name":"k","key":"{{Secret}}","limits":[{"kind":"total_tokens","window":"day","max":1000000}]}]}
            """)!;

        Assert.Equal((2, 1_000_000), (Assert.Single(seed.Accounts).Weight, Assert.Single(Assert.Single(seed.ApiKeys).Limits!).Max));
    }

    [Fact]
    public void All_that_is_wrong_is_told_at_once_and_no_token_is_quoted()
    {
        var refusal = Refuse($$"""
            {"accounts":[
               {"name":"a","baseUrl":"nowhere","credential":{"kind":"basic","token":"{{Secret}}"} },
               {"name":"b","baseUrl":"https://b.test","credential":{"kind":"bearer","token":"{{Secret}} "},"weight":0},
               {"name":"b","baseUrl":"https://b.test","credential":{"kind":"bearer","token":"{{Secret}}"} }],
             "apiKeys":[{"name":"k"},{"name":"l","key":"{{Secret}}"},{"name":"m","key":"{{Secret}}"},{"name":"m","key":"{{Secret}}2"}]}
            """);

        Assert.All(
            ["Account 'a': baseUrl", "Account 'a': credential", "Account 'b': credential", "Account 'b': weight", "Account 'b' is there more than once",
                "API key 'k': key is required", "API key 'm' has the key of another one", "API key 'm' is there more than once"],
            error => Assert.Contains(error, refusal, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{"accounts":[{"name":"a","credential":{"kind":"bearer","token":"§"}""")]
    [InlineData("""{"accounts":[{"name":"a","credential":"§"}]}""")]
    [InlineData("""{"accounts":[{"name":"a","weight":"§"}]}""")]
    [InlineData("""§""")]
    [InlineData("""{"accounts":[null],"apiKeys":[{"name":"k","key":"§"}]}""")]
    [InlineData("""{"accounts":null,"apiKeys":[{"name":"k","key":"§"}]}""")]
    [InlineData("""[]""")]
    public void Text_of_another_shape_is_refused_and_not_quoted(string text) =>
        Assert.Contains("is not the JSON it should be", Refuse(text.Replace("§", Secret, StringComparison.Ordinal)), StringComparison.Ordinal);

    private static string Refuse(string text)
    {
        var refusal = Assert.Throws<InvalidOperationException>(() => SeedDocument.Parse(text));
        Assert.DoesNotContain(Secret, refusal.ToString(), StringComparison.Ordinal);
        return refusal.Message;
    }
}

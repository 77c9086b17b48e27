using Proxy.Accounts.Contracts;

namespace Proxy.Accounts.Tests;

public sealed class NamePatternTests
{
    [Theory]
    [InlineData("*", "anything", true)]
    [InlineData("gpt-5", "gpt-5", true)]
    [InlineData("gpt-5", "gpt-5-mini", false)]
    [InlineData("gpt-5", "GPT-5", false)]
    [InlineData("gpt-*", "gpt-5", true)]
    [InlineData("gpt-*", "o3", false)]
    [InlineData("o3,gpt-*", "gpt-5", true)]
    [InlineData("", "gpt-5", false)]
    public void A_pattern_is_the_name_or_its_beginning(string patterns, string name, bool matches) =>
        Assert.Equal(matches, NamePattern.AnyMatches(patterns.Split(',', StringSplitOptions.RemoveEmptyEntries), name));
}

using AppHost.LocalRuntime.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace AppHost.Tests;

public sealed class StartOrderTests
{
    [Theory]
    [InlineData("a; b", "a b")]
    [InlineData("edge<service; service<migrations redis; migrations<postgres; postgres; redis", "postgres redis | migrations | service | edge")]
    [InlineData("a<elsewhere", "a")]
    public void Ranks_follow_dependencies(string model, string ranks) =>
        Assert.Equal(ranks, string.Join(" | ", StartOrder.Ranks(Parse(model)).Select(rank => string.Join(' ', rank))));

    [Fact]
    public void A_cycle_is_named() =>
        Assert.Contains("a, b", Assert.Throws<InvalidOperationException>(() => StartOrder.Ranks(Parse("a<b; b<a; c"))).Message, StringComparison.Ordinal);

    private static Dictionary<string, IReadOnlyList<Dependency>> Parse(string model) => model.Split("; ")
        .Select(entry => entry.Split('<'))
        .ToDictionary(
            parts => parts[0],
            parts => (IReadOnlyList<Dependency>)[.. parts.Skip(1).SelectMany(on => on.Split(' ')).Select(on => new Dependency(on, false))]);
}

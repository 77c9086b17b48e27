using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Proxy.Edge.Tests;

public sealed class EdgeOptionsTests
{
    [Fact]
    public void The_defaults_are_valid() => Assert.Equal("edge", Read([]).Id);

    [Fact]
    public void All_errors_are_told_at_once()
    {
        var refused = Assert.Throws<OptionsValidationException>(() => Read(new()
        {
            ["Edge:Id"] = "",
            ["Edge:IdleSeconds"] = "0",
            ["Edge:PublicationWaitMs"] = "-1",
            ["Edge:SpoolMaxBytes"] = "5",
            ["Edge:TurnSeconds"] = "999999",
        }));
        Assert.All(["Id", "IdleSeconds", "PublicationWaitMs", "SpoolMaxBytes", "TurnSeconds"], name => Assert.Contains(name, refused.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void Limits_that_contradict_each_other_are_told_at_once()
    {
        var refused = Assert.Throws<OptionsValidationException>(() => Read(new()
        {
            ["Edge:IdleSeconds"] = "20",
            ["Edge:TurnSeconds"] = "10",
            ["Edge:MaxRequestBytes"] = "4096",
            ["Edge:MaxDecompressedBytes"] = "2048",
        }));
        Assert.Equal(4, refused.Failures.Count());
    }

    private static EdgeOptions Read(Dictionary<string, string?> settings)
    {
        var services = new ServiceCollection().AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(settings).Build());
        services.AddOptions<EdgeOptions>().BindConfiguration(EdgeOptions.Section).ValidateDataAnnotations();
        using var provider = services.BuildServiceProvider();
        return provider.GetRequiredService<IOptions<EdgeOptions>>().Value;
    }
}

using AppHost.Configuration;
using AppHost.Topology;
using Microsoft.Extensions.Configuration;

namespace AppHost.Tests;

/// <summary>What children get to know of the AppHost's own environment and configuration.</summary>
public sealed class InheritedEnvironmentTests
{
    [Theory]
    [InlineData("OPENAI_API_KEY", true)]
    [InlineData("https_proxy", true)]
    [InlineData("Accounts__Seed", true)]
    [InlineData("ConnectionStrings__redis", true)]
    [InlineData("Edge__Port", true)]
    [InlineData("OTEL_SERVICE_NAME", true)]
    [InlineData("PATH", false)]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", false)]
    [InlineData("ASPIRE_ALLOW_UNSECURED_TRANSPORT", false)]
    public void Credentials_proxies_and_configuration_are_not_inherited(string name, bool withheld) =>
        Assert.Equal(withheld, InheritedEnvironment.IsWithheld(name, keepProxies: false));

    [Fact]
    public void A_proxy_is_inherited_on_request() => Assert.False(InheritedEnvironment.IsWithheld("HTTPS_PROXY", keepProxies: true));

    [Theory]
    [InlineData("edge", "Edge__MaxBodyBytes Recovery__A Sessions__Mode Continuity__B Drain__Seconds Logging__LogLevel__Microsoft.AspNetCore")]
    [InlineData("continuity", "Continuity__B Logging__LogLevel__Microsoft.AspNetCore")]
    [InlineData("accounts", "Accounts__C Logging__LogLevel__Microsoft.AspNetCore")]
    public void Configuration_goes_to_the_service_it_belongs_to(string service, string variables)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Edge:Port"] = "1",
            ["Edge:Replicas"] = "1",
            ["Edge:MaxBodyBytes"] = "1",
            ["Recovery:A"] = "1",
            ["Sessions:Mode"] = "1",
            ["Continuity:B"] = "1",
            ["Accounts:C"] = "1",
            ["Accounts:Seed"] = "{}",
            ["Accounts:SeedFile"] = "x",
            ["Drain:Seconds"] = "1",
            ["Logging:LogLevel:Microsoft.AspNetCore"] = "Warning",
            ["Other"] = "1",
        }).Build();

        Assert.Equal(variables.Split(' '), ServiceConfiguration.Variables(configuration, ServiceConfiguration.SectionsOf(service)).Select(v => v.Key));
    }
}

using AppHost.LocalRuntime.Hosting;
using AppHost.LocalRuntime.Processes;
using AppHost.Topology;
using Aspire.Hosting;
using Microsoft.Extensions.Configuration;

namespace AppHost.Tests;

public sealed class EnvironmentTests
{
    [Fact]
    public void Credentials_proxies_and_configuration_are_not_inherited()
    {
        var inherited = InheritedEnvironment.Filter(new Dictionary<string, string>
        {
            ["PATH"] = "/bin",
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:4317",
            ["OPENAI_API_KEY"] = "sk-1",
            ["https_proxy"] = "http://proxy",
            ["Accounts__Seed"] = "{}",
            ["ConnectionStrings__redis"] = "x",
            ["Edge__Port"] = "1",
            ["ASPNETCORE_URLS"] = "http://*:80",
            ["DOTNET_ENVIRONMENT"] = "Development",
        });

        Assert.Equal(["OTEL_EXPORTER_OTLP_ENDPOINT", "PATH"], inherited.Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("edge", "Edge__MaxBodyBytes Recovery__A Sessions__Mode Continuity__B Drain__Seconds Logging__LogLevel__Microsoft.AspNetCore")]
    [InlineData("continuity", "Continuity__B Drain__Seconds Logging__LogLevel__Microsoft.AspNetCore")]
    [InlineData("accounts", "Accounts__C Drain__Seconds Logging__LogLevel__Microsoft.AspNetCore")]
    public void Configuration_goes_to_the_service_it_belongs_to(string service, string variables)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
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

    [Fact]
    public void The_model_decides_over_what_is_inherited()
    {
        var builder = DistributedApplication.CreateBuilder(["--ConnectionStrings:db=Host=x"]);
        var other = builder.AddProject("other", "Other.csproj").WithHttpEndpoint();
        var project = builder.AddProject("one", "One.csproj")
            .WithHttpEndpoint(port: 5001)
            .WithReference(builder.AddConnectionString("db"))
            .WithReference(other)
            .WithEnvironment("A", "model")
            .WithEnvironment("Token", builder.AddParameter("token", "secret", secret: true));
        using var http = new HttpClient();
        var workload = new ProjectWorkload(project.Resource, false, new ProjectOutput(AppContext.BaseDirectory, null), http);

        var variables = workload.Environment(new() { ["A"] = "inherited", ["B"] = "inherited" });

        Assert.Equal(new Dictionary<string, string>
        {
            ["A"] = "model",
            ["B"] = "inherited",
            ["OTEL_SERVICE_NAME"] = "one",
            ["ASPNETCORE_URLS"] = "http://127.0.0.1:5001",
            ["ConnectionStrings__db"] = "Host=x",
            ["services__other__http__0"] = other.GetEndpoint("http").Url,
            ["Token"] = "secret",
        }, variables);
    }
}

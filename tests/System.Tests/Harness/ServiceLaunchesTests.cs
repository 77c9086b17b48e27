using Testing.Systems;

namespace WholeSystem.Harness;

public sealed class ServiceLaunchesTests
{
    [Fact]
    public void Each_service_gets_the_secrets_it_needs_and_no_other()
    {
        var launches = Launches();

        Assert.Equal(["Internal__Token"], SecretsOf(launches.EdgeService(1).Environment));
        Assert.Equal(["Internal__Token"], SecretsOf(launches.ContinuityService("database", "redis").Environment));
        Assert.Equal(["Accounts__EncryptionKeys", "Admin__Token", "Internal__Token"], SecretsOf(launches.AccountsService("database", "redis").Environment));

        IEnumerable<string> SecretsOf(IReadOnlyDictionary<string, string> environment) =>
            environment.Where(variable => variable.Value == launches.Secrets.InternalToken || variable.Value == launches.Secrets.AdminToken || variable.Value == launches.Secrets.EncryptionKeys)
                .Select(variable => variable.Key).Order(StringComparer.Ordinal);
    }

    [Fact]
    public void Configuration_goes_to_the_services_it_belongs_to()
    {
        var launches = Launches(("Drain:Seconds", "3"), ("Sessions:Mode", "Off"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"));
        IReadOnlyDictionary<string, string>[] all =
            [launches.EdgeService(0).Environment, launches.ContinuityService("database", "redis").Environment, launches.AccountsService("database", "redis").Environment];

        Assert.All(all, environment => Assert.Equal(("3", "http://127.0.0.1:1"), (environment["Drain__Seconds"], environment["OTEL_EXPORTER_OTLP_ENDPOINT"])));
        Assert.Equal([true, false, false], all.Select(environment => environment.ContainsKey("Sessions__Mode")));
    }

    [Fact]
    public void Configuration_of_no_service_is_refused()
    {
        var refused = Assert.Throws<ArgumentException>(() => ServiceConfiguration.Check(new Dictionary<string, string> { ["Drains:Seconds"] = "3" }));

        Assert.StartsWith("Drains:Seconds belongs to no service.", refused.Message, StringComparison.Ordinal);
    }

    private static ServiceLaunches Launches(params (string Key, string Value)[] configuration) => new(
        new GatewayOptions("{}") { Edges = 2, Configuration = configuration.ToDictionary(entry => entry.Key, entry => entry.Value) }, GatewaySecrets.Create(), "/directory", FirstPort: 1000);
}

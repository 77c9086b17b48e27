using AppHost.Configuration;
using Microsoft.Extensions.Configuration;

namespace AppHost.Tests;

public sealed class AppHostSettingsTests
{
    [Fact]
    public void Defaults_are_one_edge_on_4455_with_the_simulator()
    {
        var (settings, errors) = Read();

        Assert.Empty(errors);
        Assert.Equal([new EdgeAddress("edge-0", 4455, 4456)], settings!.Edges);
        Assert.Equal(StoresMode.Auto, settings.Stores);
        Assert.False(settings.Seed.IsGiven);
        Assert.EndsWith(".data", settings.DataDirectory, StringComparison.Ordinal);
    }

    [Fact]
    public void Edges_listen_on_ports_in_a_row()
    {
        var (settings, _) = Read(("Edge:Port", "5000"), ("Edge:Replicas", "3"));

        Assert.Equal([new("edge-0", 5000, 5003), new("edge-1", 5001, 5004), new EdgeAddress("edge-2", 5002, 5005)], settings!.Edges);
    }

    [Theory]
    [InlineData("Edge:Port", "zero", "Edge:Port is 'zero'; it must be a whole number from 1 to 65535.")]
    [InlineData("Edge:Port", "70000", "Edge:Port is '70000'; it must be a whole number from 1 to 65535.")]
    [InlineData("Edge:Replicas", "0", "Edge:Replicas is '0'; it must be a whole number from 1 to 64.")]
    [InlineData("Stores:Mode", "cloud", "Stores:Mode is 'cloud'; it must be auto, local, containers or external.")]
    [InlineData("Stores:Mode", "7", "Stores:Mode is '7'; it must be auto, local, containers or external.")]
    [InlineData("Upstream:InheritProxyVariables", "maybe", "Upstream:InheritProxyVariables must be true or false.")]
    public void A_wrong_value_is_explained(string key, string value, string message)
    {
        var (settings, errors) = Read((key, value));

        Assert.Null(settings);
        Assert.Equal([message], errors);
    }

    [Fact]
    public void All_errors_come_at_once()
    {
        var (_, errors) = Read(("Edge:Port", "x"), ("Edge:Replicas", "y"), ("Stores:Mode", "external"), ("Accounts:Seed", "{}"), ("Accounts:SeedFile", "a.json"));

        Assert.Equal(6, errors.Count);
        Assert.Contains("Stores:Mode=external needs ConnectionStrings:redis.", errors);
        Assert.Contains("Accounts:SeedFile and Accounts:Seed are both given; give one.", errors);
    }

    [Fact]
    public void The_last_port_must_exist() =>
        Assert.Equal(["Edge:Port 65535 leaves no port numbers for 2 edges."], Read(("Edge:Port", "65535"), ("Edge:Replicas", "2")).Errors);

    [Fact]
    public void Three_connection_strings_mean_external_stores() => Assert.Equal(StoresMode.External, Read(
        ("ConnectionStrings:continuitydb", "a"), ("ConnectionStrings:accountsdb", "b"), ("ConnectionStrings:redis", "c")).Settings!.Stores);

    private static (AppHostSettings? Settings, List<string> Errors) Read(params (string Key, string Value)[] entries)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(entries.ToDictionary(entry => entry.Key, entry => (string?)entry.Value)).Build();
        var errors = new List<string>();
        return (AppHostSettings.Read(configuration, publishing: false, errors), errors);
    }
}

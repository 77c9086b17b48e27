using System.Globalization;
using k8s.Models;
using Microsoft.AspNetCore.Hosting;
using Npgsql;
using StackExchange.Redis;

namespace Deploy.Tests;

/// <summary>That what containers are given is what services take.</summary>
public sealed class EnvironmentTests
{
    // The web host reads it when it starts, and no service of the test does.
    private static readonly string HttpPorts = $"ASPNETCORE_{WebHostDefaults.HttpPortsKey.ToUpperInvariant()}";

    public static TheoryData<string> Containers => [.. ServiceContainer.All.Keys];

    [Theory]
    [MemberData(nameof(Containers))]
    public void Every_variable_is_read(string name)
    {
        var container = ServiceContainer.All[name];
        var service = ConfiguredService.Of(container);

        Assert.All(
            container.Environment.Keys.Where(variable => variable != HttpPorts && !container.Helpers.Contains(variable)).Select(ConfiguredService.KeyOf),
            key => Assert.Contains(key, service.Keys));
        Assert.All(container.Environment.Values, value => Assert.DoesNotContain("$(", value, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Containers))]
    public void A_service_has_the_time_to_end(string name)
    {
        var container = ServiceContainer.All[name];
        if (container.Migrates)
        {
            return;
        }
        var notice = container.Environment.TryGetValue("Drain__NoticeSeconds", out var seconds) ? double.Parse(seconds, CultureInfo.InvariantCulture) : 0;

        // The host's limit is Drain:Seconds and five for an edge, fifteen for the others; what is left is for the process and the kubelet.
        Assert.InRange(container.GraceSeconds - container.SleepSeconds - notice - ConfiguredService.Of(container).ShutdownTimeout.TotalSeconds, 5, 60);
        Assert.Equal(container.Service == "edge", notice > 0);
    }

    [Theory]
    [MemberData(nameof(Containers))]
    public void A_service_listens_where_it_is_looked_for(string name)
    {
        var container = ServiceContainer.All[name];
        if (container.Migrates)
        {
            return;
        }
        var port = int.Parse(container.Environment[HttpPorts], CultureInfo.InvariantCulture);
        if (container.Environment.TryGetValue("Edge__AdvertisedAddress", out var address))
        {
            Assert.Equal(container.Environment["Edge__InternalPort"], new Uri(address).Port.ToString(CultureInfo.InvariantCulture));
            Assert.NotEqual(port, new Uri(address).Port);
        }
        if (name.StartsWith("kubernetes/", StringComparison.Ordinal))
        {
            var pod = Manifests.Workloads.Single(workload => $"kubernetes/{workload.Name}" == name).Pod;
            int[] ports = container.Environment.TryGetValue("Edge__InternalPort", out var inside) ? [port, int.Parse(inside, CultureInfo.InvariantCulture)] : [port];
            Assert.Equal(ports, pod.Spec.Containers.Single().Ports.Select(item => item.ContainerPort));
        }
    }

    // A pod whose preStop sleeps is still sent to; one that does not is refused at once.
    [Fact]
    public void Pods_of_services_wait_before_they_are_told_to_end() =>
        Assert.All(ServiceContainer.All.Values.Where(container => container.Name.StartsWith("kubernetes/", StringComparison.Ordinal) && !container.Migrates),
            container => Assert.True(container.SleepSeconds >= 5));

    [Fact]
    public void Connection_strings_of_the_stores_here_are_well_formed()
    {
        var stores = DeployFiles.ReadVariables(Path.Combine(DeployFiles.Kubernetes, "overlays", "with-stores", "stores.env.example"));
        var settings = DeployFiles.ReadVariables(Path.Combine(DeployFiles.Kubernetes, "base", "secrets.env.example"));
        Assert.Superset(new HashSet<string>(["continuitydb", "accountsdb", "redis"]), settings.Keys.ToHashSet());
        var created = File.ReadAllText(Path.Combine(DeployFiles.Kubernetes, "overlays", "with-stores", "databases.sql"));
        foreach (var service in new[] { "continuity", "accounts" })
        {
            string[] texts = [stores[service + "db"], ServiceContainer.All[$"compose/{service}"].Environment[$"ConnectionStrings__{service}db"]];
            Assert.All(texts.Select(text => new NpgsqlConnectionStringBuilder(text)), database =>
            {
                Assert.Contains($"CREATE DATABASE {database.Database} OWNER {database.Username};", created, StringComparison.Ordinal);
                Assert.Equal(service, database.Username);
                AssertIsThere(database.Host!, database.Port);
            });
            foreach (var text in new[] { stores["redis"], ServiceContainer.All[$"compose/{service}"].Environment["ConnectionStrings__redis"] })
            {
                var endpoint = Assert.IsType<System.Net.DnsEndPoint>(Assert.Single(ConfigurationOptions.Parse(text).EndPoints));
                AssertIsThere(endpoint.Host, endpoint.Port);
            }
        }

        // \getenv continuity_password CONTINUITY_DB_PASSWORD
        foreach (var variable in created.Split('\n').Where(line => line.StartsWith("\\getenv ", StringComparison.Ordinal)).Select(line => line.Split(' ')[2]))
        {
            Assert.Contains($"      {variable}: ${{{variable}:?}}", Compose.Text, StringComparison.Ordinal);
            Assert.Contains(Manifests.Of<V1StatefulSet>().Single(set => set.Name() == "postgres").Spec.Template.Spec.Containers.Single().Env, item => item.Name == variable);
        }

        static void AssertIsThere(string host, int port)
        {
            Assert.Contains(host, Compose.Services.Keys);
            Assert.Contains(port, Manifests.Of<V1Service>().Single(service => service.Name() == host).Spec.Ports.Select(item => item.Port));
        }
    }
}

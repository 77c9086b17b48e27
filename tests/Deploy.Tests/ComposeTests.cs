using System.Globalization;
using System.Text.RegularExpressions;

namespace Deploy.Tests;

public sealed partial class ComposeTests
{
    private static readonly string Entrance = File.ReadAllText(Path.Combine(DeployFiles.Root, "haproxy.cfg"));

    [Fact]
    public void Services_depend_on_services_that_get_as_far()
    {
        foreach (var (name, service) in Compose.Services)
        {
            foreach (var (dependency, value) in service["depends_on"].Entries)
            {
                Assert.Contains(dependency, Compose.Services.Keys);
                var other = Compose.Services[dependency];
                var condition = value["condition"].Text;
                Assert.True((condition == "service_healthy") == other["healthcheck"].Exists, $"{name} waits for {dependency} to be {condition}");
                // What is started anew whenever it ends never completes.
                Assert.Equal(condition == "service_completed_successfully", !other["restart"].Exists);
            }
        }
        Assert.All(ServiceContainer.All.Values.Where(container => container.Migrates && container.Name.StartsWith("compose/", StringComparison.Ordinal)),
            job => Assert.Equal("service_completed_successfully", Compose.Services[job.Service]["depends_on"][job.Name.Split('/')[1]]["condition"].Text));
    }

    [Fact]
    public void Networks_volumes_and_secrets_are_declared_and_used()
    {
        Assert.Equal(Declared("networks"), Used(service => service["networks"].Names));
        Assert.Equal(Declared("secrets"), Used(service => service["secrets"].Names));
        Assert.Equal(Declared("volumes"), Used(service => Volumes(service).Where(source => source[0] != '.')));
        Assert.All(
            Compose.Services.Values.SelectMany(Volumes).Where(source => source[0] == '.'),
            source => Assert.True(File.Exists(Path.Combine(DeployFiles.Root, source)), source));
        Assert.True(File.Exists(Path.Combine(DeployFiles.Root, Compose.Expand(Compose.Document["secrets"]["seed"]["file"].Text) + ".example")));
        Assert.Equal("/run/secrets/seed", ServiceContainer.All["compose/accounts"].Environment["Accounts__SeedFile"]);
    }

    [Fact]
    public void The_example_has_every_variable_and_no_other() =>
        Assert.Equal(Compose.References.Order(), Compose.Variables.Keys.Order());

    [Fact]
    public void Only_the_entrance_is_published_and_only_to_this_machine()
    {
        Assert.Equal(["entrance"], Compose.Services.Where(service => service.Value["ports"].Exists).Select(service => service.Key));
        var ports = Compose.Services["entrance"]["ports"].Items.Select(item => item.Text).ToList();
        Assert.Equal(2, ports.Count);
        foreach (var (port, variable) in ports.Zip(["LISTEN", "ADMIN_LISTEN"]))
        {
            Assert.StartsWith($"${{{variable}:-127.0.0.1:", port, StringComparison.Ordinal);
            Assert.StartsWith("127.0.0.1:", Compose.Variables[variable], StringComparison.Ordinal);
            Assert.Contains($"bind :{port[(port.LastIndexOf(':') + 1)..]}\n", Entrance, StringComparison.Ordinal);
        }

        // Only edges have anything to say to the world.
        var open = Compose.Document["networks"].Entries.Where(network => !network.Value["internal"].Exists).Select(network => network.Key).ToHashSet();
        Assert.Equal(
            ["edge-0", "edge-1", "entrance"],
            Compose.Services.Where(service => service.Value["networks"].Names.Any(open.Contains)).Select(service => service.Key).Order());
    }

    [Fact]
    public void Each_edge_has_a_name_an_address_and_a_spool_of_its_own()
    {
        var edges = ServiceContainer.All.Values.Where(container => container is { Service: "edge" } && container.Name.StartsWith("compose/", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, edges.Count);
        foreach (var edge in edges)
        {
            var name = edge.Name.Split('/')[1];
            Assert.Equal(name, edge.Environment["Edge__Id"]);
            Assert.Equal(name, new Uri(edge.Environment["Edge__AdvertisedAddress"]).Host);
            var spool = $"{name}-spool:{edge.Environment["Edge__SpoolDirectory"]}";
            Assert.Contains(spool, Compose.Services[name]["volumes"].Names);
            Assert.Contains($"{name}-spool:/spool/{name}", Compose.Services["spool-owner"]["volumes"].Names);
            Assert.Contains($"/spool/{name}", Compose.Services["spool-owner"]["entrypoint"].Names);
        }
        Assert.Equal($"{ImageTests.User}:{ImageTests.User}", Compose.Services["spool-owner"]["entrypoint"].Names.ElementAt(1));
    }

    [Fact]
    public void The_entrance_asks_and_serves_every_edge()
    {
        var servers = Server().Matches(Entrance).Select(match => match.Groups["address"].Value).ToList();
        var edges = ServiceContainer.All.Values.Where(container => container.Service == "edge" && container.Name.StartsWith("compose/", StringComparison.Ordinal)).ToList();
        // Clients at the one port, administrators at the other.
        var addresses = edges.Select(edge => new Uri(edge.Environment["Edge__AdvertisedAddress"])).ToList();
        Assert.Equal(addresses.Select(address => address.Authority).Concat(addresses.Select(address => $"{address.Host}:8080")).Order(), servers.Order());
        Assert.Contains("option httpchk GET /health\n", Entrance, StringComparison.Ordinal);

        // A drain must not end its notice before the entrance has noticed.
        var check = Check().Match(Entrance);
        var noticed = int.Parse(check.Groups["inter"].Value, CultureInfo.InvariantCulture) * int.Parse(check.Groups["fall"].Value, CultureInfo.InvariantCulture);
        Assert.All(edges, edge => Assert.True(noticed < double.Parse(edge.Environment["Drain__NoticeSeconds"], CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void Redis_keeps_what_it_has_answered()
    {
        var lines = File.ReadAllLines(Path.Combine(DeployFiles.Kubernetes, "overlays", "with-stores", "redis.conf"));
        Assert.Contains("appendonly yes", lines);
        Assert.Contains("maxmemory-policy noeviction", lines);
        var directory = lines.Single(line => line.StartsWith("dir ", StringComparison.Ordinal))["dir ".Length..];
        Assert.Contains($"redis-data:{directory}", Compose.Services["redis"]["volumes"].Names);
        Assert.Contains(directory, Manifests.Workloads.Single(workload => workload.Name == "redis").Pod.Spec.Containers.Single().VolumeMounts.Select(mount => mount.MountPath));
        Assert.Contains("--requirepass", Compose.Services["redis"]["command"].Names);
        Assert.Contains("--requirepass", Manifests.Workloads.Single(workload => workload.Name == "redis").Pod.Spec.Containers.Single().Command);
    }

    private static IEnumerable<string> Declared(string section) => Compose.Document[section].Entries.Select(entry => entry.Key).Order();

    private static IEnumerable<string> Used(Func<Node, IEnumerable<string>> names) => Compose.Services.Values.SelectMany(names).Distinct().Order();

    private static IEnumerable<string> Volumes(Node service) => service["volumes"].Names.Select(volume => volume.Split(':')[0]);

    // server edge-0 edge-0:8080
    [GeneratedRegex(@"^\s+server \S+ (?<address>\S+)$", RegexOptions.Multiline)]
    private static partial Regex Server();

    // default-server check inter 1s fall 2 rise 1 ...
    [GeneratedRegex(@"check inter (?<inter>\d+)s fall (?<fall>\d+)")]
    private static partial Regex Check();
}

using System.Text.Json.Nodes;

namespace AppHost.Tests.Publishing;

/// <summary>What <c>azd up</c> gets to deploy.</summary>
public sealed class ManifestTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("manifest-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("--Edge:Replicas=1")]
    [InlineData("--Edge:Replicas=3")]
    [InlineData("--Stores:Mode=external")]
    public async Task It_follows_the_schema_and_every_expression_leads_somewhere(string argument)
    {
        var manifest = await PublishedManifest.AsAzdAsync(_folder, argument);

        Assert.Empty(manifest.Resources.SelectMany(resource => ManifestSchema.Violations(resource.Key, resource.Value!.AsObject())));
        Assert.All(manifest.Expressions().Distinct(), expression => Assert.True(Leads(manifest, expression.Split('.')), expression));
        Assert.All(Projects(manifest), project => Assert.True(File.Exists(Path.Combine(_folder, (string)project["path"]!)), (string?)project["path"]));
    }

    [Fact]
    public async Task The_operation_alone_writes_the_same()
    {
        var asAzd = await PublishedManifest.AsAzdAsync(_folder);
        File.Delete(asAzd.Path);

        Assert.Equal(asAzd.Resources.ToJsonString(), (await PublishedManifest.WriteAsync(_folder, "--operation", "publish")).Resources.ToJsonString());
    }

    [Fact]
    public async Task One_edge_is_the_entrance_itself()
    {
        var manifest = await PublishedManifest.AsAzdAsync(_folder);

        Assert.Equal(["edge-0"], manifest.External());
    }

    [Fact]
    public async Task Several_edges_are_projects_of_their_own_behind_one_entrance()
    {
        var manifest = await PublishedManifest.AsAzdAsync(_folder, "--Edge:Replicas=3");

        Assert.Equal(["entrance"], manifest.External());
        foreach (var edge in new[] { "edge-0", "edge-1", "edge-2" })
        {
            Assert.Equal(
                (edge, $"{{{edge}.bindings.internal.url}}", "{continuity.bindings.http.url}", "{accounts.bindings.http.url}"),
                (manifest.Variable(edge, "Edge__Id"), manifest.Variable(edge, "Edge__AdvertisedAddress"),
                    manifest.Variable(edge, "services__continuity__http__0"), manifest.Variable(edge, "services__accounts__http__0")));
            Assert.Contains($"{{{edge}.bindings.http.url}}", manifest["entrance"]["args"]!.AsArray().Select(argument => (string?)argument));
        }
    }

    [Fact]
    public async Task Services_migrate_before_they_listen_since_nothing_makes_them_wait()
    {
        var manifest = await PublishedManifest.AsAzdAsync(_folder);

        Assert.All(["continuity", "accounts"], service => Assert.Equal("true", manifest.Variable(service, "Migrations__AtStart")));
        Assert.All(Projects(manifest), project => Assert.Null(project["args"]));
    }

    [Fact]
    public async Task Secrets_are_parameters_and_nothing_of_this_machine_is_in_it()
    {
        var manifest = await PublishedManifest.AsAzdAsync(_folder, "--Logging:LogLevel:Default=Warning");

        var secrets = manifest.Resources.Where(resource => (string?)resource.Value!["type"] == "parameter.v0").ToList();
        Assert.Equal(
            ["accounts-seed", "admin-token", "encryption-keys", "internal-token", "postgres-password", "redis-password"],
            secrets.Select(secret => secret.Key).Order(StringComparer.Ordinal));
        Assert.All(secrets, secret => Assert.True((bool)secret.Value!["inputs"]!["value"]!["secret"]!));
        Assert.DoesNotContain("sk-of-the-publishing-machine", manifest.Resources.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(["Logging__LogLevel__Default"], manifest["edge-0"]["env"]!.AsObject().Select(variable => variable.Key).Where(name => name.StartsWith("Logging", StringComparison.Ordinal)));
        Assert.Equal(("Production", null), (manifest.Variable("edge-0", "ASPNETCORE_ENVIRONMENT"), manifest.Variable("edge-0", "Edge__Replicas")));
    }

    [Fact]
    public async Task Redis_keeps_an_append_only_file_where_its_shell_sees_the_option()
    {
        var manifest = await PublishedManifest.AsAzdAsync(_folder);

        var arguments = manifest["redis"]["args"]!.AsArray().Select(argument => (string)argument!).ToList();
        Assert.Equal("-c", arguments[0]);
        Assert.EndsWith("--appendonly yes --appendfsync always", Assert.Single(arguments.Skip(1)), StringComparison.Ordinal);
        Assert.All(["postgres", "redis"], store => Assert.Single(manifest[store]["volumes"]!.AsArray()));
    }

    [Fact]
    public async Task Managed_stores_are_connection_strings_that_the_deployment_asks_for()
    {
        var manifest = await PublishedManifest.AsAzdAsync(_folder, "--Stores:Mode=external");

        Assert.DoesNotContain(manifest.Resources, resource => (string?)resource.Value!["type"] == "container.v0");
        Assert.All(["continuitydb", "accountsdb", "redis"], store => Assert.Equal("{" + store + ".value}", (string?)manifest[store]["connectionString"]));
        Assert.Equal("{redis.connectionString}", manifest.Variable("continuity", "ConnectionStrings__redis"));
    }

    private static IEnumerable<JsonObject> Projects(PublishedManifest manifest) =>
        manifest.Resources.Select(resource => resource.Value!.AsObject()).Where(resource => (string?)resource["type"] == "project.v0");

    // "edge-0.bindings.http.url": url and its like are made by whoever deploys; "redis-password.value" and "postgres.connectionString" stand there.
    private static bool Leads(PublishedManifest manifest, string[] expression) =>
        manifest.Resources[expression[0]] is JsonObject resource && expression[1] switch
        {
            "bindings" => resource["bindings"]?[expression[2]] is not null,
            "inputs" => resource["inputs"]?[expression[2]] is not null,
            var field => resource[field] is not null,
        };
}

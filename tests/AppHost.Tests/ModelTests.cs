using AppHost.Configuration;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Testing;

namespace AppHost.Tests;

/// <summary>What the AppHost declares, before anything of it is started.</summary>
public sealed class ModelTests : IAsyncLifetime
{
    private const string Seed = """
        {"accounts":[{"name":"a","baseUrl":"http://127.0.0.1:9/v1","credential":{"kind":"bearer","token":"secret-token"}},
                     {"name":"b","baseUrl":"http://127.0.0.1:9/v1","credential":{"kind":"bearer","token":"secret-token"}}]}
        """;

    private readonly string _data = Directory.CreateTempSubdirectory("apphost-").FullName;
    private IDistributedApplicationTestingBuilder? _builder;

    public async Task InitializeAsync() => _builder = await DistributedApplicationTestingBuilder.CreateAsync(
        typeof(AppHostSettings), [$"--Data:Directory={_data}", $"--Edge:Port={FreePorts.InARow(4)}", "--Edge:Replicas=2", "--Stores:Mode=local", $"--Accounts:Seed={Seed}"]);

    public async Task DisposeAsync()
    {
        await _builder!.DisposeAsync();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public void Its_resources_are_the_services_their_stores_and_what_stands_behind_the_accounts() => Assert.Equal(
        [
            "accounts", "accounts-migrations", "accountsdb", "accountsdb-password", "admin-token", "continuity", "continuity-migrations", "continuitydb", "continuitydb-password", "edge-0", "edge-1",
            "encryption-keys", "internal-token", "postgres", "postgres-password", "redis", "redis-password", "upstream-127-0-0-1-9",
        ],
        // The orchestrator's own, hidden, are the dashboard and what builds a project again on request.
        _builder!.Resources.Select(resource => resource.Name)
            .Where(name => name != "aspire-dashboard" && !name.EndsWith("-rebuilder", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("continuity-migrations", "continuitydb:WaitUntilHealthy postgres:WaitUntilHealthy")]
    [InlineData("continuity", "continuity-migrations:WaitForCompletion redis:WaitUntilHealthy")]
    [InlineData("accounts", "accounts-migrations:WaitForCompletion redis:WaitUntilHealthy")]
    [InlineData("edge-1", "accounts:WaitUntilStarted continuity:WaitUntilStarted")]
    public void A_resource_waits_for_what_it_cannot_start_without(string resource, string waits) => Assert.Equal(
        waits, string.Join(' ', Find(resource).Annotations.OfType<WaitAnnotation>().Select(wait => $"{wait.Resource.Name}:{wait.WaitType}").Distinct().Order(StringComparer.Ordinal)));

    [Theory]
    [InlineData("edge-0", "accounts continuity")]
    [InlineData("continuity", "continuitydb redis")]
    [InlineData("accounts", "accountsdb redis")]
    public void A_service_references_what_it_calls(string resource, string references) => Assert.Equal(
        references, string.Join(' ', Find(resource).Annotations.OfType<ResourceRelationshipAnnotation>()
            .Where(relation => relation.Type == "Reference").Select(relation => relation.Resource.Name)
            .Where(name => !name.EndsWith("-token", StringComparison.Ordinal) && !name.EndsWith("-keys", StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal)));

    [Fact]
    public void An_upstream_is_an_external_service_with_a_health_check()
    {
        var upstream = Assert.IsType<ExternalServiceResource>(Find("upstream-127-0-0-1-9"), exactMatch: false);

        Assert.Equal(new Uri("http://127.0.0.1:9/"), upstream.Uri);
        Assert.Equal("upstream-127-0-0-1-9_check", Assert.Single(upstream.Annotations.OfType<HealthCheckAnnotation>()).Key);
    }

    [Fact]
    public async Task The_seed_travels_as_the_path_of_a_private_file()
    {
        var given = new EnvironmentCallbackContext(_builder!.ExecutionContext);
        foreach (var variables in Find("accounts").Annotations.OfType<EnvironmentCallbackAnnotation>())
        {
            await variables.Callback(given);
        }

        var path = Assert.IsType<string>(given.EnvironmentVariables["Accounts__SeedFile"]);
        Assert.Equal(Path.Combine(_data, "secrets", "accounts-seed.json"), path);
        Assert.DoesNotContain(given.EnvironmentVariables.Values.OfType<string>(), value => value.Contains("secret-token", StringComparison.Ordinal));
        Assert.Equal(Seed, await File.ReadAllTextAsync(path));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        }
    }

    [Theory]
    [InlineData("edge-0", "drain")]
    [InlineData("accounts", "make-api-key")]
    [InlineData("accounts", "clear-cool-down")]
    [InlineData("postgres", "reset-data")]
    public void What_an_operator_does_is_asked_before_it_is_done(string resource, string command) => Assert.NotNull(
        Assert.Single(Find(resource).Annotations.OfType<ResourceCommandAnnotation>(), annotation => annotation.Name == command).ConfirmationMessage);

    private IResource Find(string name) => _builder!.Resources.Single(resource => resource.Name == name);
}

using System.Net.Http.Json;
using Npgsql;
using Testing;
using Testing.Processes;

namespace AppHost.Tests;

/// <summary>The real AppHost with real stores; the services are stand-ins.</summary>
public sealed class RunningSystemTests
{
    private static readonly TimeSpan RestartLimit = TimeSpan.FromSeconds(30);
    private static readonly string[] Stub = [$"--LocalRuntime:Program={BuiltPrograms.Of("StubService")}"];

    [Fact]
    public async Task It_starts_restarts_what_crashes_keeps_its_data_and_stops()
    {
        var data = Directory.CreateTempSubdirectory("apphost-").FullName;
        try
        {
            await using (var host = await AppHostProcess.StartAsync([.. Stub, "--Edge:Replicas=2"], data))
            {
                Assert.StartsWith("Back end: local runtime", host.Output.Lines[0], StringComparison.Ordinal);
                Assert.Contains("continuity-migrations | migrated", host.Output.Lines);
                Assert.Contains($"Ready: http://localhost:{host.EdgePort}", host.Output.Lines);
                Assert.Contains($"  Admin: http://localhost:{host.EdgePort}/admin/v1", host.Output.Lines);
                Assert.Equal(
                    ["accounts", "continuity", "edge-0", "edge-1", "postgres", "redis", "simulator"],
                    host.Processes().Keys.Order(StringComparer.Ordinal));
                await CheckEdgeEnvironmentAsync(host);
                await CheckExternalStoresAsync(await Stores.OfAsync(host));

                await WriteAsync(host);
                await CrashAsync(host);
                await CheckDataAsync(host);
                await host.StopAsync();
                Assert.Equal(string.Empty, host.Errors.ToString());
            }

            await using var again = await AppHostProcess.StartAsync(Stub, data);
            await CheckDataAsync(again);
            await again.StopAsync();
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task Kill_9_of_the_AppHost_leaves_no_process_and_a_new_one_starts_at_once()
    {
        var data = Directory.CreateTempSubdirectory("apphost-").FullName;
        try
        {
            await using var first = await AppHostProcess.StartAsync(Stub, data);
            var children = first.Processes();
            await using var locked = AppHostProcess.Launch(Stub, data);
            Assert.NotEqual(0, await locked.ExitCodeAsync());
            Assert.Contains("Another AppHost uses", Assert.Single(locked.Errors.Lines), StringComparison.Ordinal);

            await first.KillAsync();
            await using var second = await AppHostProcess.StartAsync([.. Stub, $"--Edge:Port={first.EdgePort}"], data);

            Assert.All(children.Values, id => Assert.False(ProcessSignals.IsRunning(id)));
            await second.StopAsync();
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    /// <summary>A second system on the stores of the first, with a seed of its own.</summary>
    private static async Task CheckExternalStoresAsync(Stores stores)
    {
        await using var host = await AppHostProcess.StartAsync(
        [
            .. Stub, "--Stores:Mode=external", $"--ConnectionStrings:continuitydb={stores.Postgres}",
            $"--ConnectionStrings:accountsdb={stores.Postgres}", $"--ConnectionStrings:redis={stores.Redis}",
            """--Accounts:Seed={"accounts":[{"name":"mine"}]}""",
        ]);

        Assert.Equal(["accounts", "continuity", "edge-0"], host.Processes().Keys.Order(StringComparer.Ordinal));
        Assert.Contains("  Upstream: mine (Accounts:Seed)", host.Output.Lines);
        Assert.Equal(stores, await Stores.OfAsync(host) with { Postgres = stores.Postgres });
        await host.StopAsync();
    }

    private static async Task CheckEdgeEnvironmentAsync(AppHostProcess host)
    {
        using var http = new HttpClient();
        var variables = await http.GetFromJsonAsync<Dictionary<string, string>>(new Uri(host.AddressOf(1), "environment"));
        Assert.Equal("edge-1", variables!["Edge__Id"]);
        Assert.Equal($"http://127.0.0.1:{host.EdgePort + 1}", variables["Edge__AdvertisedAddress"]);
        Assert.Equal("Development", variables["ASPNETCORE_ENVIRONMENT"]);
        Assert.Equal(Path.Combine(host.DataDirectory, "edge-1", "spool"), variables["Edge__SpoolDirectory"]);
        Assert.False(variables.ContainsKey("Admin__Token"));
    }

    /// <summary>Everything is killed at once; all of it comes back.</summary>
    private static async Task CrashAsync(AppHostProcess host)
    {
        string[] names = ["postgres", "redis", "continuity", "edge-0"];
        var killed = names.ToDictionary(name => name, host.Kill);
        foreach (var (name, id) in killed)
        {
            _ = await host.WaitForRestartAsync(name, id, RestartLimit);
        }

        using var http = new HttpClient();
        await Eventually.TrueAsync(() => Answers(http, host.BaseAddress));
    }

    private static bool Answers(HttpClient http, Uri address)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address, "health"));
            return http.Send(request).IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task WriteAsync(AppHostProcess host)
    {
        var stores = await Stores.OfAsync(host);
        await using var database = NpgsqlDataSource.Create(stores.Postgres);
        await using var command = database.CreateCommand("CREATE TABLE kept (value int); INSERT INTO kept VALUES (42)");
        _ = await command.ExecuteNonQueryAsync();
        for (var i = 0; i < 200; i++)
        {
            Assert.Equal("+OK", await stores.RedisAsync("SET", $"key{i}", $"value{i}"));
        }
    }

    private static async Task CheckDataAsync(AppHostProcess host)
    {
        var stores = await Stores.OfAsync(host);
        await using var database = NpgsqlDataSource.Create(stores.Postgres);
        await using var command = database.CreateCommand("SELECT value FROM kept");
        Assert.Equal(42, await command.ExecuteScalarAsync());
        Assert.Equal("value199", await stores.RedisAsync("GET", "key199"));
    }
}

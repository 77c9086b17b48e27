using System.Net;
using System.Net.Sockets;
using Testing.Processes;

namespace AppHost.Tests;

/// <summary>Starts that cannot succeed end with plain lines and a non-zero exit code.</summary>
public sealed class RefusedStartTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("refused-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_taken_edge_port_is_one_line()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        Assert.Equal([$"Port {port} of edge-0 is taken; free it, or choose another with --Edge:Port=<port>."], await RefusalAsync($"--Edge:Port={port}"));
    }

    [Fact]
    public async Task A_missing_PostgreSQL_is_one_line() => Assert.StartsWith(
        "Stores:PostgresDirectory /nonexistent has no postgres and initdb",
        Assert.Single(await RefusalAsync("--Stores:Mode=local", "--Stores:PostgresDirectory=/nonexistent")), StringComparison.Ordinal);

    [Fact]
    public async Task A_missing_Redis_server_is_one_line() => Assert.Equal(
        ["Stores:RedisServer /nonexistent is not a file (nor the word garnet)."], await RefusalAsync("--Stores:Mode=local", "--Stores:RedisServer=/nonexistent"));

    [Fact]
    public async Task Wrong_options_are_all_told() =>
        Assert.Equal(2, (await RefusalAsync("--Edge:Replicas=0", "--Stores:Mode=nowhere")).Count);

    [Fact]
    public async Task A_data_directory_that_cannot_be_is_one_line() =>
        Assert.StartsWith("Data:Directory cannot be used", Assert.Single(await RefusalAsync("--Data:Directory=/dev/null/data")), StringComparison.Ordinal);

    [Fact]
    public async Task A_seed_with_three_mistakes_is_three_lines()
    {
        var seed = Seed("""
            {"accounts":[{"name":"a","baseUrl":"nowhere","credential":{"kind":"bearer","token":"secret-token"}}],
             "apiKeys":[{"name":"short","key":"cp-1"},{"name":"none"}]}
            """);

        Assert.Equal(
            [
                $"Accounts:SeedFile {seed}: Account 'a': baseUrl must be an absolute http or https address without a query.",
                $"Accounts:SeedFile {seed}: API key 'short': key must have 16 to 512 printable ASCII characters without white space.",
                $"Accounts:SeedFile {seed}: API key 'none': key is required in a seed.",
            ],
            await RefusalAsync($"--Accounts:SeedFile={seed}"));
    }

    [Theory]
    [InlineData("{\"accounts\":[{\"token\":\"secret-token")]
    [InlineData("[\"secret-token\"]")]
    public async Task A_seed_that_is_not_JSON_is_told_without_quoting_it(string text) =>
        Assert.DoesNotContain("secret", Assert.Single(await RefusalAsync($"--Accounts:SeedFile={Seed(text)}")), StringComparison.Ordinal);

    [Fact]
    public async Task A_missing_seed_file_is_one_line() =>
        Assert.Contains("/nonexistent/seed.json", Assert.Single(await RefusalAsync("--Accounts:SeedFile=/nonexistent/seed.json")), StringComparison.Ordinal);

    [Fact]
    public async Task A_migration_that_fails_ends_the_start()
    {
        var nobody = "Host=127.0.0.1;Port=1;Username=x;Password=x;Database=x";

        var lines = await RefusalAsync(
            "--Stores:Mode=external", $"--ConnectionStrings:continuitydb={nobody}", $"--ConnectionStrings:accountsdb={nobody}", "--ConnectionStrings:redis=127.0.0.1:1");

        Assert.Matches("-migrations failed with exit code [0-9]+. It said last:", lines[0]);
        Assert.Contains(lines, line => line.Contains("Failed to connect to 127.0.0.1:1", StringComparison.Ordinal));
    }

    private string Seed(string text)
    {
        var path = Path.Combine(_folder, $"seed-{text.GetHashCode(StringComparison.Ordinal):x}.json");
        File.WriteAllText(path, text);
        return path;
    }

    private static async Task<IReadOnlyList<string>> RefusalAsync(params string[] arguments)
    {
        await using var host = AppHostProcess.Launch(arguments);
        Assert.NotEqual(0, await host.ExitCodeAsync());
        Assert.Empty(host.Processes());
        return host.Errors.Lines;
    }
}

using System.Net;
using System.Net.Sockets;
using Testing.Processes;

namespace AppHost.Tests;

/// <summary>Starts that cannot succeed end with plain lines and a non-zero exit code.</summary>
public sealed class RefusedStartTests
{
    private static readonly string Stub = $"--LocalRuntime:Program={BuiltPrograms.Of("StubService")}";

    [Fact]
    public async Task A_taken_edge_port_is_one_line()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        Assert.Equal($"Port {port} of edge-0 is taken; free it, or choose another with --Edge:Port=<port>.", await RefusalAsync($"--Edge:Port={port}", Stub));
    }

    [Fact]
    public async Task A_missing_PostgreSQL_is_one_line() => Assert.StartsWith(
        "Stores:PostgresDirectory /nonexistent has no postgres and initdb", await RefusalAsync("--Stores:PostgresDirectory=/nonexistent", Stub), StringComparison.Ordinal);

    [Fact]
    public async Task Wrong_options_are_all_told()
    {
        await using var host = AppHostProcess.Launch(["--Edge:Replicas=0", "--Stores:Mode=nowhere"]);

        Assert.Equal(2, await host.ExitCodeAsync());
        Assert.Equal(2, host.Errors.Lines.Count);
    }

    [Fact]
    public async Task A_data_directory_that_cannot_be_is_one_line() =>
        Assert.StartsWith("Data:Directory cannot be used", await RefusalAsync("--Data:Directory=/dev/null/data"), StringComparison.Ordinal);

    [Fact]
    public async Task A_failed_migration_ends_the_start()
    {
        var program = Path.Combine(Path.GetTempPath(), "no-such-program.dll");

        Assert.Contains("migrations failed with exit code", await RefusalAsync($"--LocalRuntime:Program={program}"), StringComparison.Ordinal);
    }

    private static async Task<string> RefusalAsync(params string[] arguments)
    {
        await using var host = AppHostProcess.Launch(arguments);
        Assert.NotEqual(0, await host.ExitCodeAsync());
        Assert.Empty(host.Processes());
        return Assert.Single(host.Errors.Lines);
    }
}

using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Proxy.Edge.Sessions;
using Proxy.Edge.Tests.Fixture;
using Testing;
using Xunit.Abstractions;

namespace Proxy.Edge.Tests.Sessions;

/// <summary>Two thousand sessions on one edge, and what is left of them. Upstream is a process of its own, and nothing else runs meanwhile: the heap is measured.</summary>
[Collection(Name)]
public sealed class ManySessionsTests(ITestOutputHelper output)
{
    public const string Name = "alone";

    private const int Count = 2_000;
    private const int AtOnce = 16;
    private const long AllowedGrowth = 10 << 20;

    [Fact]
    public async Task The_sweep_frees_all_of_them()
    {
        var port = FreePorts.InARow(1);
        using var upstream = StartUpstream(port);
        try
        {
            await using var edge = await RunningEdge.StartAsync(edge => edge.Add("far", baseUrl: $"http://127.0.0.1:{port}/v1"), "Sessions:SweepSeconds=0.2");
            edge.Accounts.Remove("a");
            await Eventually.TrueAsync(async () => (await edge.CarryAsync("is it there?", headers: ("thread-id", "first"))).Status == 200, TimeSpan.FromSeconds(20));
            await HoldAsync(edge, "warm", Count / 10);
            await SweepAsync(edge);
            var before = Heap();

            await HoldAsync(edge, "many", Count);
            Assert.Equal(Count, edge.Services.GetRequiredService<SessionRegistry>().Count);
            var held = Heap();
            await SweepAsync(edge);
            output.WriteLine($"heap {before >> 10} KiB before, {held >> 10} KiB with {Count} sessions");
            // Connections are still being closed, and what they held waits for finalizers.
            var after = await Eventually.GetAsync(() => Task.FromResult(Heap()), heap => heap - before <= AllowedGrowth, TimeSpan.FromSeconds(20));
            output.WriteLine($"{after >> 10} KiB after them");
        }
        finally
        {
            upstream.Kill(entireProcessTree: true);
        }
    }

    private static async Task HoldAsync(RunningEdge edge, string name, int count)
    {
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (number, _) =>
            (await edge.CarryAsync(headers: ("thread-id", $"{name}-{number}"))).Completed());
    }

    // Their time is over when all are there, however long that took.
    private static async Task SweepAsync(RunningEdge edge)
    {
        var (sessions, options) = (edge.Services.GetRequiredService<SessionRegistry>(), edge.Services.GetRequiredService<IOptions<SessionsOptions>>().Value);
        var idle = options.HardIdleSeconds;
        options.HardIdleSeconds = 0.01;
        await Eventually.TrueAsync(() => sessions.Count == 0 && edge.Continuity.Sessions.Live.Count == 0, TimeSpan.FromSeconds(30));
        await Eventually.TrueAsync(() => edge.Leases.Count == 0);
        options.HardIdleSeconds = idle;
        // What the tests themselves have noted.
        edge.Continuity.Forget();
        edge.Accounts.Forget();
        edge.Log.Forget();
    }

    private static long Heap()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private static Process StartUpstream(int port)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(global::Simulator.SimulatorServer).Assembly.Location]) { RedirectStandardOutput = true };
        start.Environment["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}";
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        return process;
    }
}

/// <summary>Tests that nothing may run beside.</summary>
[CollectionDefinition(ManySessionsTests.Name, DisableParallelization = true)]
public sealed class AloneCollection;

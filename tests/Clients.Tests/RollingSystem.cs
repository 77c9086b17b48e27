using Simulator;
using Testing;
using Testing.Processes;

namespace Clients.Tests;

/// <summary>A whole system of three edges.</summary>
public sealed class RollingSystem : IAsyncLifetime
{
    public const int Edges = 3;

    private static readonly TimeSpan RestartLimit = TimeSpan.FromSeconds(40);

    private readonly CancellationTokenSource _stopping = new();
    private Task _watching = Task.CompletedTask;
    private SimulatorServer? _simulator;
    private AppHostProcess? _host;

    /// <summary>What running turns get to end: the default.</summary>
    public static TimeSpan Drain { get; } = TimeSpan.FromSeconds(8);

    public SimulatorServer Simulator => _simulator!;

    /// <summary>Those of its edges that say they are ready.</summary>
    public ReadyEdges Ready { get; }

    public RollingSystem() => Ready = new ReadyEdges(AddressOf, Edges);

    public async Task InitializeAsync()
    {
        _simulator = await SimulatorServer.StartAsync();
        var seed = $$"""
            {"accounts":[{"name":"main","baseUrl":"{{Simulator.BaseAddress}}v1","credential":{"kind":"bearer","token":"{{ClientSystem.UpstreamToken}}"},"webSockets":true,"lanes":true}],"apiKeys":[{"name":"clients","key":"{{ClientSystem.Key}}"}]}
            """;
        _host = await AppHostProcess.StartAsync([$"--Edge:Replicas={Edges}", $"--Accounts:Seed={seed.Trim()}", $"--Drain:Seconds={Drain.TotalSeconds}"]);
        _watching = Ready.WatchAsync(_stopping.Token);
    }

    public Uri AddressOf(int edge) => _host!.AddressOf(edge);

    /// <summary>Asks an edge to stop, as an orchestrator does; the AppHost starts what has ended. Returns the process it was.</summary>
    public int Terminate(int edge)
    {
        var former = _host!.ProcessOf(Name(edge))!.Value;
        ProcessSignals.Terminate(former);
        return former;
    }

    /// <summary>Waits until an edge runs anew and is ready.</summary>
    public async Task WaitForRestartAsync(int edge, int former)
    {
        await _host!.WaitForRestartAsync(Name(edge), former, RestartLimit);
        await Eventually.TrueAsync(() => Ready.IsReady(edge), RestartLimit);
    }

    public async Task DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _watching;
        _stopping.Dispose();
        if (_host is not null)
        {
            await _host.DisposeAsync();
        }
        if (_simulator is not null)
        {
            await _simulator.DisposeAsync();
        }
    }

    private static string Name(int edge) => $"edge-{edge}";
}

using Simulator;
using Testing;
using Testing.Processes;
using Testing.Systems;

namespace Clients.Tests;

/// <summary>A whole system of three edges.</summary>
public sealed class RollingSystem : IAsyncLifetime
{
    public const int Edges = 3;

    private static readonly TimeSpan RestartLimit = TimeSpan.FromSeconds(40);

    private readonly CancellationTokenSource _stopping = new();
    private Task _watching = Task.CompletedTask;
    private SimulatorServer? _simulator;
    private Gateway? _gateway;

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
        _gateway = await Gateway.StartAsync(new(seed)
        {
            Edges = Edges,
            Configuration = new Dictionary<string, string> { ["Drain:Seconds"] = $"{Drain.TotalSeconds}" },
        });
        _watching = Ready.WatchAsync(_stopping.Token);
    }

    public Uri AddressOf(int edge) => _gateway!.AddressOf(edge);

    /// <summary>Asks an edge to stop, as an orchestrator does; it is started again. Returns the process it was.</summary>
    public int Terminate(int edge) => _gateway!.Terminate(Name(edge));

    /// <summary>Waits until an edge runs anew and is ready.</summary>
    public async Task WaitForRestartAsync(int edge, int former)
    {
        await _gateway!.WaitForRestartAsync(Name(edge), former, RestartLimit);
        await Eventually.TrueAsync(() => Ready.IsReady(edge), RestartLimit);
    }

    public async Task DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _watching;
        _stopping.Dispose();
        if (_gateway is not null)
        {
            await _gateway.DisposeAsync();
        }
        if (_simulator is not null)
        {
            await _simulator.DisposeAsync();
        }
    }

    private static string Name(int edge) => $"edge-{edge}";
}

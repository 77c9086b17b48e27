using Simulator;
using Testing;
using Testing.Processes;

namespace Clients.Tests;

/// <summary>A whole system of three edges.</summary>
public sealed class RollingSystem : IAsyncLifetime
{
    public const int Edges = 3;

    private static readonly TimeSpan RestartLimit = TimeSpan.FromSeconds(40);

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromMilliseconds(500) };
    private SimulatorServer? _simulator;
    private AppHostProcess? _host;

    /// <summary>What running turns get to end: the default.</summary>
    public static TimeSpan Drain { get; } = TimeSpan.FromSeconds(8);

    public SimulatorServer Simulator => _simulator!;

    public async Task InitializeAsync()
    {
        _simulator = await SimulatorServer.StartAsync();
        var seed = $$"""
            {"accounts":[{"name":"main","baseUrl":"{{Simulator.BaseAddress}}v1","credential":{"kind":"bearer","token":"{{ClientSystem.UpstreamToken}}"},"webSockets":true,"lanes":true}],"apiKeys":[{"name":"clients","key":"{{ClientSystem.Key}}"}]}
            """;
        _host = await AppHostProcess.StartAsync([$"--Edge:Replicas={Edges}", $"--Accounts:Seed={seed.Trim()}", $"--Drain:Seconds={Drain.TotalSeconds}"]);
    }

    public Uri AddressOf(int edge) => _host!.AddressOf(edge);

    /// <summary>Whether an edge says that it is ready.</summary>
    public async Task<bool> IsReadyAsync(int edge)
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri(AddressOf(edge), "/health"));
            return answer.IsSuccessStatusCode;
        }
        catch (Exception away) when (away is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }

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
        await Eventually.TrueAsync(() => IsReadyAsync(edge), RestartLimit);
    }

    public async Task DisposeAsync()
    {
        if (_host is not null)
        {
            await _host.DisposeAsync();
        }
        if (_simulator is not null)
        {
            await _simulator.DisposeAsync();
        }
        _http.Dispose();
    }

    private static string Name(int edge) => $"edge-{edge}";
}

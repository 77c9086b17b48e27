using Simulator;
using Testing.Systems;

// Two whole systems side by side, each with clients of its own: some of these tests wait for most of their time, for drains and pauses.
[assembly: CollectionBehavior(MaxParallelThreads = 2)]

namespace Clients.Tests;

/// <summary>A whole system with a tap in front of its edge and one behind it: client - tap - edge - tap - simulator.</summary>
public class ClientSystem : IAsyncLifetime
{
    public const string Key = "cp-clients-0123456789";
    public const string UpstreamToken = "upstream-token-of-the-account";

    private readonly Dictionary<string, string> _configuration;
    private SimulatorServer? _simulator;
    private Gateway? _gateway;
    private Tap? _front;
    private Tap? _behind;

    public ClientSystem() : this(new Dictionary<string, string>())
    {
    }

    protected ClientSystem(Dictionary<string, string> configuration) => _configuration = configuration;

    public SimulatorServer Simulator => _simulator!;

    /// <summary>Between the client and the edge.</summary>
    public Tap Front => _front!;

    /// <summary>Between the edge and upstream.</summary>
    public Tap Behind => _behind!;

    /// <summary>What clients are configured with: the tap in front.</summary>
    public Uri BaseAddress => new($"http://127.0.0.1:{Front.Port}/v1");

    public async Task InitializeAsync()
    {
        _simulator = await SimulatorServer.StartAsync();
        _behind = new Tap(() => _simulator.BaseAddress.Port);
        _front = new Tap(() => _gateway!.BaseAddress.Port);
        var seed = $$"""
            {"accounts":[{"name":"main","baseUrl":"http://127.0.0.1:{{_behind.Port}}/v1","credential":{"kind":"bearer","token":"{{UpstreamToken}}"},"webSockets":true,"lanes":true}],"apiKeys":[{"name":"clients","key":"{{Key}}"}]}
            """;
        // With telemetry on, though nobody takes it: instrumentation must not show in what goes upstream.
        _gateway = await Gateway.StartAsync(new(seed)
        {
            Configuration = new Dictionary<string, string>(_configuration) { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1" },
        });
    }

    public async Task DisposeAsync()
    {
        if (_gateway is not null)
        {
            await _gateway.DisposeAsync();
        }
        foreach (var tap in new[] { _front, _behind })
        {
            if (tap is not null)
            {
                await tap.DisposeAsync();
            }
        }
        if (_simulator is not null)
        {
            await _simulator.DisposeAsync();
        }
        GC.SuppressFinalize(this);
    }
}

/// <summary>The same where HTTP stays HTTP: what comes in can be compared with what goes out.</summary>
public sealed class PlainClientSystem() : ClientSystem(new() { ["Sessions:Mode"] = "Off" });

/// <summary>One system for all tests of the assembly, one test class after the other.</summary>
[CollectionDefinition(Name)]
public sealed class ClientCollection : ICollectionFixture<ClientSystem>
{
    public const string Name = "clients";
}

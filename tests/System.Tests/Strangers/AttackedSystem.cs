using System.Globalization;
using Simulator;
using Testing;
using Testing.Stores;
using Testing.Systems;

namespace WholeSystem.Strangers;

/// <summary>One edge and one account of few slots that two tenants share, with little memory for requests in flight.</summary>
public sealed class AttackedSystem : IAsyncLifetime
{
    public const string Victim = "cp-victim-0123456789";
    public const string Attacker = "cp-attacker-0123456789";
    public const long ContainerBytes = 256 << 20;

    /// <summary>The default for a container of that size, a quarter.</summary>
    public const long MemoryBytes = ContainerBytes / 4;

    /// <summary>The largest request; a buffer doubles as it grows, and there has to be room for a large one of each tenant.</summary>
    public const int MaxRequestBytes = 8 << 20;

    private const int Slots = 8;
    private const int WarmingTurns = 400;

    private SimulatorServer? _simulator;
    private Gateway? _gateway;

    public Uri Address => _gateway!.BaseAddress;

    /// <summary>What the edge has in memory now, without pages of files, which a container drops when it needs the room.</summary>
    public long ResidentBytes
    {
        get
        {
            // RssAnon:	  123456 kB
            var line = File.ReadLines($"/proc/{_gateway!.ProcessOf("edge-0")}/status").First(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
            return long.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
        }
    }

    public async Task InitializeAsync()
    {
        _simulator = await SimulatorServer.StartAsync();
        // What takes slots keeps them for some 50 ms.
        _simulator.Script(rule => rule.When(when => when with { Contains = Attacks.TakesASlot }).Deltas(4, 4).Paced(TimeSpan.FromMilliseconds(5)));
        var seed = $$"""
            {"accounts":[{"name":"shared","baseUrl":"{{_simulator.BaseAddress}}v1","credential":{"kind":"bearer","token":"t"},"webSockets":true,"lanes":true,"maxConcurrentTurns":{{Slots}}}],
             "apiKeys":[{"name":"victim","key":"{{Victim}}"},{"name":"attacker","key":"{{Attacker}}"}]}
            """;
        _gateway = await Gateway.StartAsync(new(seed)
        {
            // What the AppHost takes where it is there.
            Redis = SearchPath.Find("redis-server") is null ? RedisKind.Garnet : RedisKind.Redis,
            Configuration = new Dictionary<string, string>
            {
                ["Edge:MemoryBytes"] = $"{MemoryBytes}",
                // What the runtime allows its heap in a container of that size: three quarters, in hexadecimal. Without a limit it collects late, and its size says little.
                ["DOTNET_GCHeapHardLimit"] = $"{ContainerBytes / 4 * 3:X}",
                ["Edge:MaxRequestBytes"] = $"{MaxRequestBytes}",
                ["Edge:MaxDecompressedBytes"] = $"{MaxRequestBytes}",
            },
        });
        // Code that was never run is slow by itself: that of turns, and what attacks set going, as waiting for a slot.
        using var client = new ApiClient(Address, Victim);
        await TenantAttackTests.TurnsAsync(client, WarmingTurns);
        foreach (var attack in Attacks.All.Values)
        {
            await Task.WhenAll(TenantAttackTests.TurnsAsync(client, WarmingTurns / 10), attack(this), attack(this));
        }
    }

    public async Task DisposeAsync()
    {
        if (_gateway is not null)
        {
            await _gateway.DisposeAsync();
        }
        if (_simulator is not null)
        {
            await _simulator.DisposeAsync();
        }
    }
}

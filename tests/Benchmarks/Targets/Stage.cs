using Benchmarks.Load;
using Testing.Stores;
using Testing.Systems;

namespace Benchmarks.Targets;

/// <summary>All that a run measures, as processes: the upstream, the hop before it, and the gateway before it.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private const string Edge = "edge-0";
    private static readonly TimeSpan RestartLimit = TimeSpan.FromSeconds(60);

    private readonly BenchmarkProcess _upstream;
    private readonly BenchmarkProcess _hop;

    private Stage(BenchmarkProcess upstream, BenchmarkProcess hop, Gateway gateway)
    {
        (_upstream, _hop, Gateway) = (upstream, hop, gateway);
        Direct = new Target(Target.Direct, upstream.Address, [new("upstream", () => upstream.ProcessId)]);
        Yarp = new Target(Target.Yarp, hop.Address, [new("yarp", () => hop.ProcessId)]);
        Ours = new Target(Target.Ours, gateway.BaseAddress,
        [
            new("edge", () => gateway.ProcessOf(Edge)),
            new("accounts", () => gateway.ProcessOf("accounts")),
            new("continuity", () => gateway.ProcessOf("continuity")),
            new("redis", () => gateway.ProcessOf("redis")),
            new("postgres", () => gateway.ProcessOf("postgres"), WithChildren: true),
        ]);
    }

    /// <summary>The upstream itself.</summary>
    public Target Direct { get; }

    /// <summary>The yardstick.</summary>
    public Target Yarp { get; }

    /// <summary>The gateway.</summary>
    public Target Ours { get; }

    public IReadOnlyList<Target> Targets => [Direct, Yarp, Ours];

    public Gateway Gateway { get; }

    /// <summary>Which server of Redis' protocol the gateway has: the real one where the machine has it.</summary>
    public static RedisKind Redis { get; } = RedisProgram.IsThere(RedisKind.Redis) ? RedisKind.Redis : RedisKind.Garnet;

    /// <summary>Starts everything.</summary>
    public static async Task<Stage> StartAsync(CancellationToken cancellationToken)
    {
        var upstream = await BenchmarkProcess.StartAsync("upstream");
        var hop = await BenchmarkProcess.StartAsync("yarp", upstream.Address.GetLeftPart(UriPartial.Authority));
        var gateway = await Gateway.StartAsync(new(Seed(upstream.Address))
        {
            Redis = Redis,
            // As in production: the test harness' own settings are for processes that live for seconds.
            Configuration = new Dictionary<string, string>
            {
                ["ASPNETCORE_ENVIRONMENT"] = "Production",
                ["DOTNET_ENVIRONMENT"] = "Production",
                ["DOTNET_TieredPGO"] = "1",
                ["Edge:Authentication"] = "Required",
            },
        }, cancellationToken);
        return new Stage(upstream, hop, gateway);
    }

    /// <summary>Puts a new process in the place of the one that the target's clients talk to: one without a past, whose memory says what is in use.</summary>
    public async Task RestartFrontAsync(Target target, CancellationToken cancellationToken)
    {
        if (target == Yarp)
        {
            await _hop.RestartAsync();
            return;
        }
        await Gateway.WaitForRestartAsync(Edge, Gateway.Terminate(Edge), RestartLimit, cancellationToken);
        await BenchmarkProcess.UntilHealthyAsync(target.Address);
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await _hop.DisposeAsync();
        await _upstream.DisposeAsync();
    }

    private static string Seed(Uri upstream) => $$"""
        {"accounts":[{"name":"upstream","baseUrl":"{{upstream}}v1","credential":{"kind":"bearer","token":"benchmarks"},"webSockets":true,"maxConcurrentTurns":50000}],
         "apiKeys":[{"name":"benchmarks","key":"{{Target.Key}}","accounts":["*"]}]}
        """;
}

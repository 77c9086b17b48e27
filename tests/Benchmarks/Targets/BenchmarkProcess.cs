using System.Globalization;
using System.Net;
using Testing;
using Testing.Processes;

namespace Benchmarks.Targets;

/// <summary>This program in another mode, as a process of its own.</summary>
internal sealed class BenchmarkProcess : IAsyncDisposable
{
    private static readonly TimeSpan ReadyLimit = TimeSpan.FromSeconds(20);

    private readonly string _name;
    private readonly Launch _launch;
    private RestartingProcess _process;

    private BenchmarkProcess(string name, Launch launch, Uri address)
    {
        (_name, _launch, Address) = (name, launch, address);
        _process = RestartingProcess.Start(name, launch);
    }

    public Uri Address { get; }

    public int? ProcessId => _process.ProcessId;

    /// <summary>Starts one, and waits until it serves.</summary>
    /// <param name="mode">The mode, which takes the address first.</param>
    /// <param name="arguments">Further arguments of the mode.</param>
    public static async Task<BenchmarkProcess> StartAsync(string mode, params string[] arguments)
    {
        var address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePorts.InARow(1)}");
        var launch = new Launch(BuiltPrograms.Dotnet, [BuiltPrograms.Of("Benchmarks"), mode, address, .. arguments])
        {
            Environment = new Dictionary<string, string>(ChildEnvironment.Inherited()) { ["DOTNET_gcServer"] = CollectorOfEdge() },
        };
        var process = new BenchmarkProcess(mode, launch, new Uri(address));
        await process.UntilReadyAsync();
        return process;
    }

    /// <summary>Ends it and starts another one in its place.</summary>
    public async Task RestartAsync()
    {
        await _process.DisposeAsync();
        _process = RestartingProcess.Start(_name, _launch);
        await UntilReadyAsync();
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    /// <summary>Waits until an address answers 200 to a GET of <c>/health</c>.</summary>
    public static async Task UntilHealthyAsync(Uri address)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        await Eventually.SucceedsAsync(
            async () =>
            {
                using var answer = await http.GetAsync(new Uri(address, "health"));
                if (answer.StatusCode != HttpStatusCode.OK)
                {
                    throw new IOException($"{address} answers {answer.StatusCode}.");
                }
            },
            ReadyLimit);
    }

    private Task UntilReadyAsync() => UntilHealthyAsync(Address);

    // The hop is to differ from the edge in what it does, and not in how memory is collected.
    private static string CollectorOfEdge() =>
        File.ReadAllText(Path.ChangeExtension(BuiltPrograms.Of("Proxy.Edge"), "runtimeconfig.json")).Contains("\"System.GC.Server\": true", StringComparison.Ordinal) ? "1" : "0";
}

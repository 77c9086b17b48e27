using System.Collections.Concurrent;
using System.Net;
using Testing.Processes;
using Testing.Stores;

namespace Testing.Systems;

/// <summary>
/// A whole gateway as real processes: edges, the two services, a Redis of its own, and databases of its own on the PostgreSQL of the test process. What crashes
/// is started again, on the port it had. Its resources are <c>edge-0</c>, ..., <c>continuity</c>, <c>accounts</c>, <c>postgres</c> and <c>redis</c>.
/// </summary>
public sealed class Gateway : IAsyncDisposable
{
    private static readonly TimeSpan ReadyLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan CheckLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly GatewayOptions _options;
    private readonly GatewaySecrets _secrets = GatewaySecrets.Create();
    private readonly string _directory = Directory.CreateTempSubdirectory("gateway-").FullName;
    private readonly ServiceLaunches _launches;
    private readonly ConcurrentDictionary<string, RestartingProcess> _processes = new();
    private GatewayDatabases? _databases;
    private RedisServer? _redis;

    private Gateway(GatewayOptions options)
    {
        ServiceConfiguration.Check(options.Configuration);
        _options = options;
        _launches = new ServiceLaunches(options, _secrets, _directory, FreePorts.InARow(ServiceLaunches.PortsFor(options)));
    }

    /// <summary>The address of edge-0.</summary>
    public Uri BaseAddress => AddressOf(0);

    /// <summary>Opens the admin API.</summary>
    public string AdminToken => _secrets.AdminToken;

    /// <summary>How to connect to the continuity service's database.</summary>
    public string ContinuityDatabase => _databases!.Continuity;

    /// <summary>How to connect to the accounts service's database.</summary>
    public string AccountsDatabase => _databases!.Accounts;

    /// <summary>How to connect to its Redis.</summary>
    public string Redis => _redis!.ConnectionString;

    /// <summary>Starts one and waits until every edge and service is ready.</summary>
    public static async Task<Gateway> StartAsync(GatewayOptions options, CancellationToken cancellationToken = default)
    {
        var gateway = new Gateway(options);
        try
        {
            await gateway.StartAsync(cancellationToken);
            return gateway;
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    /// <summary>The address of an edge by its number.</summary>
    public Uri AddressOf(int edge) => _launches.EdgeAddress(edge);

    /// <summary>The process id of a resource, or null while it is not running.</summary>
    public int? ProcessOf(string resource) => _processes[resource].ProcessId;

    /// <summary>All that its processes have written so far.</summary>
    public IReadOnlyList<string> Output => [.. _processes.Values.SelectMany(process => process.Output.Lines)];

    /// <summary>Kills a resource with SIGKILL and returns the process id it had.</summary>
    public int Kill(string resource) => Signal(resource, ProcessSignals.Kill);

    /// <summary>Asks a resource to end, as an orchestrator does, and returns the process id it had.</summary>
    public int Terminate(string resource) => Signal(resource, ProcessSignals.Terminate);

    /// <summary>Freezes a resource, and returns its process id.</summary>
    public int Freeze(string resource) => Signal(resource, ProcessSignals.Freeze);

    /// <summary>Lets a frozen resource go on.</summary>
    public void Thaw(string resource) => Signal(resource, ProcessSignals.Thaw);

    /// <summary>Waits until a resource runs as another process than <paramref name="former"/>.</summary>
    public async Task<int> WaitForRestartAsync(string resource, int former, TimeSpan limit, CancellationToken cancellationToken = default)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(began) < limit)
        {
            if (ProcessOf(resource) is { } id && id != former)
            {
                return id;
            }
            await Task.Delay(Poll, TimeProvider.System, cancellationToken);
        }
        throw new TimeoutException($"{resource} was not started again within {limit.TotalSeconds} s.\n{Report()}");
    }

    /// <summary>Ends the edges, then the services, then the stores, each at once, and leaves nothing behind.</summary>
    public async ValueTask DisposeAsync()
    {
        await EndAsync([.. Enumerable.Range(0, _options.Edges).Select(ServiceLaunches.NameOfEdge)]);
        await EndAsync(ServiceConfiguration.Continuity, ServiceConfiguration.Accounts);
        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }
        if (_databases is not null)
        {
            await _databases.DisposeAsync();
        }
        Directory.Delete(_directory, recursive: true);
    }

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        await File.WriteAllTextAsync(_launches.SeedFile, _options.Seed, cancellationToken);
        // Edges do not mind that the services come a little later; the services want their stores.
        for (var edge = 0; edge < _options.Edges; edge++)
        {
            Run(ServiceLaunches.NameOfEdge(edge), _launches.EdgeService(edge));
        }
        await Task.WhenAll(MakeDatabasesAsync(), StartRedisAsync());
        Run(ServiceConfiguration.Continuity, _launches.ContinuityService(ContinuityDatabase, Redis));
        Run(ServiceConfiguration.Accounts, _launches.AccountsService(AccountsDatabase, Redis));
        await WaitUntilReadyAsync(cancellationToken);
    }

    private void Run(string name, Launch launch) => _processes[name] = RestartingProcess.Start(name, launch);

    private async Task MakeDatabasesAsync()
    {
        _databases = await GatewayDatabases.CreateAsync();
        _processes["postgres"] = _databases.Server;
    }

    private async Task StartRedisAsync()
    {
        _redis = await RedisServer.StartAsync(_options.Redis, databases: 1, keepsData: true);
        _processes["redis"] = _redis.Process;
    }

    private async Task WaitUntilReadyAsync(CancellationToken cancellationToken)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = CheckLimit };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(ReadyLimit);
        Uri[] all = [.. Enumerable.Range(0, _options.Edges).Select(AddressOf), _launches.ContinuityAddress, _launches.AccountsAddress];
        try
        {
            await Task.WhenAll(all.Select(async address =>
            {
                while (!await IsHealthyAsync(http, address, limit.Token))
                {
                    await Task.Delay(Poll, TimeProvider.System, limit.Token);
                }
            }));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The gateway was not ready within {ReadyLimit.TotalSeconds} s.\n{Report()}");
        }
    }

    private static async Task<bool> IsHealthyAsync(HttpClient http, Uri address, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri(address, "health"), cancellationToken);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (Exception away) when (away is HttpRequestException || (away is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false;
        }
    }

    private Task EndAsync(params string[] names) => Task.WhenAll(names.Where(_processes.ContainsKey).Select(name => _processes[name].DisposeAsync().AsTask()));

    private int Signal(string resource, Action<int> send)
    {
        var id = ProcessOf(resource) ?? throw new InvalidOperationException($"{resource} is not running.\n{Report()}");
        send(id);
        return id;
    }

    private string Report() => string.Join('\n', _processes.OrderBy(entry => entry.Key).Select(entry => $"--- {entry.Key}\n{entry.Value.Output.Tail()}"));
}

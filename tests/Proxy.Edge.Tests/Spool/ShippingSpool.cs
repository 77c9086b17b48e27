using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Spool;
using Proxy.Edge.Tests.Fixture;
using ServiceDefaults.Http;
using Testing;

namespace Proxy.Edge.Tests.Spool;

/// <summary>A spool directory, the services its turns go to, and what a process has of both for as long as it lives.</summary>
internal sealed class ShippingSpool : IAsyncDisposable
{
    private readonly List<IDisposable> _clients = [];
    private SpoolShipper? _shipper;

    private ShippingSpool() => Directory = System.IO.Directory.CreateTempSubdirectory("edge-spool-").FullName;

    public string Directory { get; }

    public FakeContinuity Continuity { get; } = new();

    public FakeAccounts Accounts { get; } = new();

    public TurnSpool Spool { get; private set; } = null!;

    public LeaseKeeper Leases { get; private set; } = null!;

    public IReadOnlyList<string> Files => [.. System.IO.Directory.EnumerateFiles(Directory, "*.spool").Order(StringComparer.Ordinal)];

    public static async Task<ShippingSpool> StartAsync()
    {
        var shipping = new ShippingSpool();
        await Task.WhenAll(shipping.Continuity.StartAsync(), shipping.Accounts.StartAsync());
        shipping.Open();
        return shipping;
    }

    /// <summary>Opens the spool, as a process does at its start; nothing is shipped yet.</summary>
    public void Open()
    {
        Spool = Open(Directory);
        Leases = new LeaseKeeper(new AccountsClient(ClientOf(Accounts)), TimeProvider.System, NullLogger<LeaseKeeper>.Instance);
    }

    public static TurnSpool Open(string directory, long? maxBytes = null) => new(OptionsOf(directory, maxBytes), NullLogger<TurnSpool>.Instance);

    /// <param name="onTheWay">What stands between the shipper and the continuity service.</param>
    public async Task ShipAsync(DelegatingHandler? onTheWay = null)
    {
        var metrics = new ServiceCollection().AddMetrics().BuildServiceProvider();
        _clients.Add(metrics);
        _shipper = new SpoolShipper(
            Spool, Leases, new ContinuityClient(ClientOf(Continuity, onTheWay)), new AccountsClient(ClientOf(Accounts)),
            new QuarantinedRows(OptionsOf(Directory), new SpoolMetrics(metrics.GetRequiredService<IMeterFactory>(), Spool), NullLogger<QuarantinedRows>.Instance),
            TimeProvider.System, NullLogger<SpoolShipper>.Instance);
        await _shipper.StartAsync(CancellationToken.None);
    }

    /// <summary>The process is asked to end.</summary>
    public Task StopAsync() => _shipper!.StopAsync(CancellationToken.None);

    /// <summary>The process ends without a word.</summary>
    public void Kill() => Spool.Dispose();

    public async Task EverythingIsShippedAsync(int rows, int settled)
    {
        await Eventually.TrueAsync(() => Continuity.Rows.Count >= rows && Accounts.Settled.Count >= settled);
        await Eventually.TrueAsync(() => Files.Count == 1);
        Assert.Equal((rows, settled), (Continuity.Rows.Count, Accounts.Settled.Count));
    }

    public static RequestLogRow Row(string status = TurnStatus.Cut, string? account = "acc-a", Guid? id = null) => new(
        id ?? Guid.CreateVersion7(), TimeProvider.System.GetUtcNow(), "resp_1", OwnedKinds.Response, "key-1", null, account, account is null ? null : "dom-a", "http_stream", "gpt-5.6",
        status, 200, null, true, 1, 0, 2, 0, 3, false, 1.5, 2.5, "edge", null, "owner=none");

    public async ValueTask DisposeAsync()
    {
        if (_shipper is not null)
        {
            using var now = new CancellationTokenSource();
            await now.CancelAsync();
            await _shipper.StopAsync(now.Token);
            _shipper.Dispose();
        }
        Leases.Dispose();
        Spool.Dispose();
        _clients.ForEach(client => client.Dispose());
        await Continuity.DisposeAsync();
        await Accounts.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private static IOptions<EdgeOptions> OptionsOf(string directory, long? maxBytes = null)
    {
        var options = new EdgeOptions { SpoolDirectory = directory };
        options.SpoolMaxBytes = maxBytes ?? options.SpoolMaxBytes;
        return Options.Create(options);
    }

    private HttpClient ClientOf(FakeService service, DelegatingHandler? onTheWay = null)
    {
        if (onTheWay is not null)
        {
            onTheWay.InnerHandler = new SocketsHttpHandler();
        }
        var client = new HttpClient(onTheWay ?? (HttpMessageHandler)new SocketsHttpHandler()) { BaseAddress = new Uri(service.Address) };
        client.DefaultRequestHeaders.Add(InternalToken.Header, FakeService.Token);
        _clients.Add(client);
        return client;
    }
}

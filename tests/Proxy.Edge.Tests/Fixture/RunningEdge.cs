using System.Diagnostics.Metrics;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Simulator;
using Testing;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>The real edge on a free loopback port, between fake services and the simulator. Account <c>a</c> is there from the start.</summary>
internal sealed class RunningEdge : IAsyncDisposable
{
    public const string Model = "gpt-5.6";

    private readonly string _directory = Directory.CreateTempSubdirectory("edge-tests-").FullName;
    private readonly RunningEdge? _first;
    private int _edges;
    private WebApplication? _app;

    private RunningEdge(RunningEdge? first)
    {
        _first = first;
        (Continuity, Accounts) = first is null ? (new FakeContinuity(), new FakeAccounts()) : (first.Continuity, first.Accounts);
        Id = first is null ? "edge" : $"edge-{Interlocked.Increment(ref first._edges) + 1}";
    }

    /// <summary>Its name in log rows.</summary>
    public string Id { get; }

    public SimulatorServer Sim { get; private init; } = null!;

    public FakeContinuity Continuity { get; }

    public FakeAccounts Accounts { get; }

    /// <summary>The edge's clock.</summary>
    public TimeProvider Time { get; private init; } = TimeProvider.System;

    public Uri Address { get; private set; } = null!;

    /// <summary>What other edges call it, without a slash at its end: its internal port.</summary>
    public string Origin => $"http://127.0.0.1:{Address.Port + 1}";

    /// <summary>A client with the key <c>sk-1</c>.</summary>
    public HttpClient Http { get; private set; } = null!;

    public LeaseKeeper Leases => _app!.Services.GetRequiredService<LeaseKeeper>();

    public IServiceProvider Services => _app!.Services;

    public string SpoolDirectory => Path.Combine(_directory, "spool");

    public Counters Counters { get; private set; } = null!;

    public LogBook Log { get; } = new();

    public int LatePublications => (int)Counters.Of("continuity.late_publication");

    public static async Task<RunningEdge> StartAsync(Action<RunningEdge>? prepare = null, params string[] settings)
    {
        var edge = new RunningEdge(first: null) { Sim = await SimulatorServer.StartAsync() };
        await Task.WhenAll(edge.Continuity.StartAsync(), edge.Accounts.StartAsync());
        edge.Add("a");
        prepare?.Invoke(edge);
        await edge.TryRunAsync(settings);
        return edge;
    }

    /// <summary>Another edge of the same system: the same services and upstream, but an id, an address, a spool and a log of its own.</summary>
    public Task<RunningEdge> StartAnotherAsync(params string[] settings) => StartAnotherAsync(TimeProvider.System, settings);

    /// <summary>Another edge whose clock is not like this one's.</summary>
    public async Task<RunningEdge> StartAnotherAsync(TimeProvider time, params string[] settings)
    {
        var edge = new RunningEdge(_first ?? this) { Sim = Sim, Time = time };
        await edge.TryRunAsync(settings);
        return edge;
    }

    /// <summary>Adds an account of the simulator: <c>acc-x</c> with the token <c>x</c>, alone in its domain <c>dom-x</c> unless one is named.</summary>
    public AdmittedAccount Add(
        string token, bool webSockets = true, bool lanes = false, CredentialKind kind = CredentialKind.Bearer, string? baseUrl = null, string? domain = null)
    {
        var account = new AdmittedAccount($"acc-{token}", token, baseUrl ?? $"{Sim.BaseAddress}v1", domain ?? $"dom-{token}", webSockets, lanes, kind, token, LeaseSeconds: 30);
        Accounts.Put(account);
        if (domain is not null)
        {
            // What one account of a domain has minted is valid on the others.
            Sim.Organisation(domain, token);
        }
        return account;
    }

    /// <summary>Stops the edge as a signal would.</summary>
    public Task StopAsync() => _app!.StopAsync();

    /// <summary>A POST whose answer may still be coming.</summary>
    public Task<HttpResponseMessage> PostAsync(string body, string path = "/v1/responses", CancellationToken cancellationToken = default, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    /// <summary>A turn to its end.</summary>
    public async Task<(int Status, string Body)> TurnAsync(string more = "", bool stream = true)
    {
        using var response = await PostAsync(Body(more, stream));
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public static string Body(string more = "", bool stream = true) => $$"""{"model":"{{Model}}","input":"hello","stream":{{(stream ? "true" : "false")}}{{more}}}""";

    public async Task<EdgeSocket> ConnectAsync(string key = "sk-1", params (string Name, string Value)[] headers)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer " + key);
        socket.Options.CollectHttpResponseDetails = true;
        foreach (var (name, value) in headers)
        {
            socket.Options.SetRequestHeader(name, value);
        }
        using var limit = new CancellationTokenSource(EdgeSocket.Limit);
        try
        {
            await socket.ConnectAsync(new Uri($"ws://{Address.Authority}/v1/responses"), limit.Token);
        }
        catch (WebSocketException)
        {
            // Its status tells the rest.
        }
        return new EdgeSocket(socket);
    }

    /// <summary>What is in the spool files now.</summary>
    public string Spooled() => string.Concat(Directory.EnumerateFiles(SpoolDirectory, "*.spool").Select(path =>
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return reader.ReadToEnd();
    }));

    /// <summary>Waits for the only row of a turn.</summary>
    public async Task<RequestLogRow> RowAsync() =>
        (await Eventually.GetAsync(() => Task.FromResult(Continuity.Rows.ToArray()), rows => rows.Length > 0))[0];

    /// <summary>Waits until every turn is logged once and settled, and nothing is left of any of them.</summary>
    public async Task NothingIsLeftAsync(int turns, params string[] accounts)
    {
        await Eventually.TrueAsync(() => Leases.Count == 0 && Accounts.Slots == 0);
        await Eventually.TrueAsync(() => Continuity.Rows.Count >= turns);
        foreach (var token in accounts.Length > 0 ? accounts : ["a"])
        {
            await Eventually.TrueAsync(() => Sim.Account(token).InFlight == 0 && Sim.Account(token).OpenSockets == 0);
        }
        Assert.Equal(turns, Continuity.Rows.Select(row => row.Id).Distinct().Count());
        Assert.Equal(turns, Continuity.Rows.Count);
        // Rows and settlements are shipped on ways of their own.
        var served = Continuity.Rows.Count(row => row.AccountId is not null);
        await Eventually.TrueAsync(() => Accounts.Settled.Count >= served);
        Assert.Equal(served, Accounts.Settled.Count);
    }

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        if (_app is not null)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            if (Http is not null)
            {
                await _app.StopAsync(limit.Token);
            }
            await _app.DisposeAsync();
        }
        if (_first is null)
        {
            await Sim.DisposeAsync();
            await Continuity.DisposeAsync();
            await Accounts.DisposeAsync();
        }
        Counters?.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task TryRunAsync(string[] settings)
    {
        try
        {
            await RunAsync(settings);
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    private async Task RunAsync(string[] settings)
    {
        // It tells others where it is before it listens there.
        Address = new Uri($"http://127.0.0.1:{FreePorts.InARow(2)}");
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ContentRootPath = _directory,
            Args =
            [
                $"--urls={Address.GetLeftPart(UriPartial.Authority)}", $"--Edge:InternalPort={Address.Port + 1}", $"--Edge:AdvertisedAddress={Origin}", $"--Edge:Id={Id}",
                $"--Internal:Token={FakeService.Token}", $"--Edge:SpoolDirectory={SpoolDirectory}", "--Drain:NoticeSeconds=0",
                "--Edge:AdmissionWaitSeconds=5",
                // Tests count who asks for what; those of prefetched slots set it themselves.
                "--Edge:PrefetchedSlots=0",
                $"--services:continuity:http:0={Continuity.Address}", $"--services:accounts:http:0={Accounts.Address}", .. settings.Select(setting => $"--{setting}"),
            ],
        });
        builder.Services.AddSingleton(Time);
        builder.AddEdge();
        builder.Logging.ClearProviders().AddProvider(Log);
        _app = builder.Build().MapEdge();
        Counters = new Counters(_app.Services.GetRequiredService<IMeterFactory>());
        await _app.StartAsync();
        // A client that leaves is gone, and does not read on for a while.
        Http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, ResponseDrainTimeout = TimeSpan.Zero }) { BaseAddress = Address, Timeout = TimeSpan.FromSeconds(30) };
        Http.DefaultRequestHeaders.Add("Authorization", "Bearer sk-1");
    }
}

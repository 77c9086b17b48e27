using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Simulator.Accounts;
using Simulator.Recording;
using Simulator.Scripts;

namespace Simulator;

/// <summary>A simulator inside the test's process, on a free loopback port.</summary>
public sealed class SimulatorServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Simulation _simulation;

    private SimulatorServer(WebApplication app, Simulation simulation) => (_app, _simulation) = (app, simulation);

    /// <summary>Root of the server, with a slash at its end; the API is under <c>v1/</c>.</summary>
    public Uri BaseAddress { get; private set; } = new("http://127.0.0.1/");

    /// <summary>What was received and sent.</summary>
    public Record Recorded => _simulation.Record;

    /// <summary>How many turns are stalled until released.</summary>
    public int Stalled => _simulation.Gate.Waiting;

    /// <summary>Starts a server. With <paramref name="tokens"/> only those are accepted.</summary>
    public static async Task<SimulatorServer> StartAsync(
        IReadOnlyCollection<string>? tokens = null, TimeProvider? time = null, CancellationToken cancellationToken = default)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        SimulatorApplication.ConfigureServer(builder, precise: true);

        // Turns that are stalled at the end of a test are not worth waiting for.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMilliseconds(100));
        var app = builder.Build();
        var simulation = new Simulation(time ?? TimeProvider.System);
        simulation.Accounts.Allowed = tokens;
        SimulatorApplication.Map(app, simulation);
        await app.StartAsync(cancellationToken);
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new SimulatorServer(app, simulation) { BaseAddress = new Uri(address + "/") };
    }

    /// <summary>Adds a rule after those in force.</summary>
    public Rule Script(Action<RuleBuilder> build)
    {
        ArgumentNullException.ThrowIfNull(build);
        var builder = new RuleBuilder();
        build(builder);
        var rule = builder.Build();
        Script(rule);
        return rule;
    }

    /// <summary>Adds rules after those in force.</summary>
    public void Script(params IEnumerable<Rule> rules) => _simulation.Script.Add(rules);

    /// <summary>How often a rule has applied.</summary>
    public int TimesApplied(Rule rule) => _simulation.Script.Rules.Where(entry => ReferenceEquals(entry.Rule, rule)).Sum(entry => entry.Used);

    /// <summary>Removes all rules.</summary>
    public void ClearScript() => _simulation.Script.Clear();

    /// <summary>Puts accounts into one organisation: ids and encrypted reasoning of one are valid on all.</summary>
    public Organisation Organisation(string name, params IEnumerable<string> tokens) => _simulation.Accounts.Organisation(name, tokens);

    /// <summary>An account's counters.</summary>
    public Account Account(string token) => _simulation.Accounts.Get(token);

    /// <summary>Lets all stalled turns go on.</summary>
    public void Release() => _simulation.Gate.Release();

    /// <summary>Resets every connection of an account, or of all.</summary>
    public void Kill(string? account = null) => _simulation.Kill(account);

    /// <summary>Closes the WebSockets of an account, or of all, busy or idle.</summary>
    public Task CloseSocketsAsync(int code = 1000, string? account = null, CancellationToken cancellationToken = default) =>
        _simulation.CloseSocketsAsync(account, code, cancellationToken);

    /// <summary>Sends a message on the WebSockets of an account, or on all, busy or idle.</summary>
    public Task SendToSocketsAsync(string text, string? account = null, CancellationToken cancellationToken = default) =>
        _simulation.SendAsync(account, text, cancellationToken);

    /// <summary>Waits until something holds of the simulator, which notes things on threads of its own; at most ten seconds.</summary>
    public async Task WhenAsync(Func<SimulatorServer, bool> condition, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(condition);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(10));
        while (!condition(this))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, limit.Token);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}

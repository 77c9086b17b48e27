using AppHost.Configuration;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Testing;

// Each test class has processes of its own, and the machine may be small.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace AppHost.Tests;

/// <summary>One real start of the AppHost for many tests: two edges, the simulator, real stores, the dashboard.</summary>
public sealed class RunningAppHost : IAsyncLifetime
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    private readonly string _data = Directory.CreateTempSubdirectory("apphost-").FullName;
    private IDistributedApplicationTestingBuilder? _builder;
    private DistributedApplication? _application;

    public DistributedApplication Application => _application!;

    public int EdgePort { get; } = FreePorts.InARow(4);

    /// <summary>The dashboard's address.</summary>
    public Uri Dashboard => Application.GetEndpoint("aspire-dashboard", "http");

    /// <summary>The token of the dashboard's login link.</summary>
    public string BrowserToken => Application.Services.GetRequiredService<IConfiguration>()["AppHost:BrowserToken"]!;

    public async Task InitializeAsync()
    {
        _builder = await DistributedApplicationTestingBuilder.CreateAsync(
            typeof(AppHostSettings),
            [$"--Data:Directory={_data}", $"--Edge:Port={EdgePort}", "--Edge:Replicas=2", "--Edge:Authentication=required"],
            (options, _) => (options.DisableDashboard, options.AllowUnsecuredTransport, options.EnableResourceLogging) = (false, true, false));
        _application = await _builder.BuildAsync().WaitAsync(Limit);
        await _application.StartAsync().WaitAsync(Limit);
        foreach (var edge in new[] { "edge-0", "edge-1" })
        {
            await HealthyAsync(edge);
        }
    }

    public async Task DisposeAsync()
    {
        if (_application is not null)
        {
            await _application.StopAsync().WaitAsync(Limit);
            await _application.DisposeAsync();
        }
        if (_builder is not null)
        {
            await _builder.DisposeAsync();
        }
        Directory.Delete(_data, recursive: true);
    }

    /// <summary>A client of an edge.</summary>
    public HttpClient Client(int edge = 0, string? key = null)
    {
        var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{EdgePort + edge}") };
        if (key is not null)
        {
            client.DefaultRequestHeaders.Authorization = new("Bearer", key);
        }
        return client;
    }

    public Task HealthyAsync(string resource) => Application.ResourceNotifications.WaitForResourceHealthyAsync(resource).WaitAsync(Limit);

    /// <summary>What the orchestrator says of a resource now.</summary>
    public CustomResourceSnapshot StateOf(string resource) =>
        Application.ResourceNotifications.TryGetCurrentState(resource, out var state) ? state.Snapshot : throw new InvalidOperationException($"There is no {resource}.");

    /// <summary>Runs a command as the dashboard does; <paramref name="arguments"/> by their names.</summary>
    public async Task<ExecuteCommandResult> ExecuteAsync(string resource, string command, params (string Name, string Value)[] arguments)
    {
#pragma warning disable ASPIREINTERACTION001 // Commands with arguments are experimental in 13.6.
        var inputs = new InteractionInputCollection([.. arguments.Select(argument => new InteractionInput { Name = argument.Name, InputType = InputType.Text, Value = argument.Value })]);
#pragma warning restore ASPIREINTERACTION001
        return await Application.ResourceCommands.ExecuteCommandAsync(resource, command, inputs).WaitAsync(Limit);
    }

    /// <summary>A new API key, made by the command.</summary>
    public async Task<string> MakeKeyAsync(string name)
    {
        var made = await ExecuteAsync("accounts", "make-api-key", ("name", name));
        Assert.True(made.Success, made.Message);
        return made.Data!.Value;
    }

    /// <summary>The process of a resource, from its file.</summary>
    public int ProcessOf(string resource) => int.Parse(File.ReadAllText(Path.Combine(_data, "run", $"{resource}.pid")), System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>One start for all tests of the collection, one test class after the other.</summary>
[CollectionDefinition(Name)]
public sealed class RunningAppHostCollection : ICollectionFixture<RunningAppHost>
{
    public const string Name = "running AppHost";
}

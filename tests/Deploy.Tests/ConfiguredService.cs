using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Npgsql;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using StackExchange.Redis;

namespace Deploy.Tests;

/// <summary>
/// A service built with a container's variables, though not started. What it asks its configuration for is written down: a variable that is
/// never asked for has no effect, whatever its name promises.
/// </summary>
internal sealed class ConfiguredService
{
    private static readonly ConcurrentDictionary<string, Lazy<ConfiguredService>> Built = new(StringComparer.Ordinal);

    /// <summary>The keys it asked for, with <c>:</c>.</summary>
    public required IReadOnlySet<string> Keys { get; init; }

    /// <summary>The patterns of its routes.</summary>
    public required IReadOnlySet<string> Routes { get; init; }

    /// <summary>What it takes to end, at most.</summary>
    public required TimeSpan ShutdownTimeout { get; init; }

    /// <summary>The instruments it exports.</summary>
    public required IReadOnlyList<Instrument> Instruments { get; init; }

    /// <exception cref="OptionsValidationException">The service would refuse to start.</exception>
    public static ConfiguredService Of(ServiceContainer container) => Built.GetOrAdd(container.Name, _ => new(() => Build(container))).Value;

    private static ConfiguredService Build(ServiceContainer container)
    {
        using var spool = new TemporaryFolder();
        var configuration = new WrittenDown(container.Environment);
        // Paths of the container, stores of its network and a collector are not there.
        configuration.ReplaceGiven("Edge:SpoolDirectory", spool.Path);
        configuration.ReplaceGiven("ConnectionStrings:redis", "127.0.0.1:1");
        configuration.ReplaceGiven("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");

        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = Environments.Production });
        ((IConfigurationBuilder)builder.Configuration).Add(configuration);
        var title = char.ToUpperInvariant(container.Service[0]) + container.Service[1..];
        var parts = Assembly.Load($"Proxy.{title}").GetType($"Proxy.{title}.{title}Service", throwOnError: true)!;
        Invoke(parts, $"Add{title}", builder);
        using var app = builder.Build();

        var meters = app.Services.GetRequiredService<IMeterFactory>();
        var instruments = new ConcurrentQueue<Instrument>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Scope == meters)
            {
                instruments.Enqueue(instrument);
            }
        };
        listener.Start();
        if (container.Migrates)
        {
            app.Services.GetRequiredService<NpgsqlDataSource>();
        }
        else
        {
            app.Services.GetRequiredService<IStartupValidator>().Validate();
            app.Services.GetService<MeterProvider>();
            app.Services.GetService<TracerProvider>();
            app.Services.GetService<IConnectionMultiplexer>();
            // With them come the parts of the service, each of which reads what it needs.
            _ = app.Services.GetServices<IHostedService>().ToList();
            Invoke(parts, $"Map{title}", app);
        }
        return new ConfiguredService
        {
            Keys = configuration.Asked,
            Routes = ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
                .Select(endpoint => endpoint.RoutePattern.RawText ?? "").ToHashSet(StringComparer.Ordinal),
            ShutdownTimeout = app.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout,
            // One that is enabled has a listener; ours asks for no measurements, so it is the exporter.
            Instruments = [.. instruments.Where(instrument => instrument.Enabled)],
        };
    }

    private static void Invoke(Type parts, string method, object argument) =>
        parts.GetMethod(method, [argument.GetType()])!.Invoke(null, BindingFlags.DoNotWrapExceptions, null, [argument], null);

    /// <summary>The environment, as the strongest source of configuration.</summary>
    private sealed class WrittenDown : ConfigurationProvider, IConfigurationSource
    {
        private readonly ConcurrentDictionary<string, bool> _asked = new(StringComparer.OrdinalIgnoreCase);

        public WrittenDown(IReadOnlyDictionary<string, string> environment)
        {
            foreach (var (name, value) in environment)
            {
                Set(KeyOf(name), value);
            }
        }

        public IReadOnlySet<string> Asked => _asked.Keys.ToHashSet(StringComparer.OrdinalIgnoreCase);

        public void ReplaceGiven(string key, string value)
        {
            if (base.TryGet(key, out _))
            {
                Set(key, value);
            }
        }

        public override bool TryGet(string key, out string? value)
        {
            _asked.TryAdd(key, true);
            return base.TryGet(key, out value);
        }

        public IConfigurationProvider Build(IConfigurationBuilder builder) => this;
    }

    /// <summary>The configuration key that a variable is.</summary>
    public static string KeyOf(string variable) => variable.Replace("__", ":", StringComparison.Ordinal);

    private sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("deploy-tests").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}

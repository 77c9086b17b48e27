using AppHost.Configuration;
using AppHost.Processes;
using AppHost.Stores;

namespace AppHost.Preparation;

/// <summary>All that has to be true before anything is started. Where it is not, that is told in plain lines, and nothing is started.</summary>
/// <param name="Settings">What was configured, with the kind of stores decided.</param>
/// <param name="LocalStores">The servers of this machine, where they are to be used.</param>
/// <param name="SeedFile">The seed's path; null for the simulator, and when publishing.</param>
/// <param name="Seed">What the seed says.</param>
internal sealed record PreparedStart(AppHostSettings Settings, LocalStorePrograms? LocalStores, string? SeedFile, SeedSummary Seed) : IDisposable
{
    private DataDirectory? _held;

    /// <summary>The exit code of a start that was refused.</summary>
    public const int Refused = 2;

    /// <summary>Prepares a run or a publication; null if it is refused, and then the reasons stand on standard error.</summary>
    public static async Task<PreparedStart?> TryAsync(IDistributedApplicationBuilder builder, CancellationToken cancellationToken = default)
    {
        var errors = new List<string>();
        try
        {
            if (AppHostSettings.Read(builder.Configuration, builder.ExecutionContext.IsPublishMode, errors) is { } settings)
            {
                return builder.ExecutionContext.IsPublishMode
                    ? new(settings, null, null, SeedSummary.Empty)
                    : await PrepareAsync(settings, cancellationToken);
            }
        }
        catch (StartRefusedException refusal)
        {
            errors.Add(refusal.Message);
        }

        foreach (var error in errors)
        {
            Console.Error.WriteLine(error);
        }
        return null;
    }

    /// <summary>Gives the data directory back.</summary>
    public void Dispose() => _held?.Dispose();

    private static async Task<PreparedStart> PrepareAsync(AppHostSettings settings, CancellationToken cancellationToken)
    {
        var held = DataDirectory.Take(settings);
        try
        {
            await new RunFiles(settings).WaitForFormerProcessesAsync(cancellationToken);
            CheckPorts(settings);
            var mode = settings.Stores != StoresMode.Auto ? settings.Stores
                : await ContainerEngine.AnswersAsync(settings.Configuration, cancellationToken) ? StoresMode.Containers : StoresMode.Local;
            var local = mode == StoresMode.Local ? await LocalStorePrograms.FindAsync(settings, cancellationToken) : null;
            var seedFile = settings.Seed.IsGiven ? Preparation.SeedFile.PathOf(settings.Seed, settings) : null;
            var summary = seedFile is null ? SeedSummary.Empty : await CheckSeedAsync(seedFile, settings.Seed, cancellationToken);
            InheritedEnvironment.Withhold(settings.InheritProxyVariables);
            return new(settings with { Stores = mode }, local, seedFile, summary) { _held = held };
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private static void CheckPorts(AppHostSettings settings)
    {
        if (settings.Edges.FirstOrDefault(edge => !ListeningPort.IsFree(edge.Port)) is { } taken)
        {
            throw new StartRefusedException($"Port {taken.Port} of {taken.Name} is taken; free it, or choose another with --Edge:Port=<port>.");
        }

        if (settings.Edges.FirstOrDefault(edge => !ListeningPort.IsFree(edge.InternalPort)) is { } inside)
        {
            throw new StartRefusedException($"Port {inside.InternalPort}, internal to {inside.Name}, is taken; free it, or choose another with --Edge:InternalPort=<port>.");
        }
    }

    private static async Task<SeedSummary> CheckSeedAsync(string path, AccountSeed seed, CancellationToken cancellationToken)
    {
        if (await Preparation.SeedFile.FindErrorsAsync(path, seed.Source, cancellationToken) is { Count: > 0 } errors)
        {
            throw new StartRefusedException(string.Join(Environment.NewLine, errors));
        }

        await using var file = File.OpenRead(path);
        return SeedSummary.Of(file);
    }
}

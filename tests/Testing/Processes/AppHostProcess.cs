using System.Diagnostics;
using System.Globalization;

namespace Testing.Processes;

/// <summary>
/// The built AppHost as a real process with its own data directory and free edge ports. <see cref="StartAsync"/> returns
/// when it has printed <c>Ready:</c>. Disposing ends it however it stands and removes the data directory it was given.
/// </summary>
public sealed class AppHostProcess : IAsyncDisposable
{
    private static readonly TimeSpan ReadyLimit = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    private readonly Process _process;
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly bool _ownsData;

    private AppHostProcess(Process process, string dataDirectory, bool ownsData, int edgePort)
    {
        (_process, DataDirectory, _ownsData, EdgePort) = (process, dataDirectory, ownsData, edgePort);
        process.OutputDataReceived += (_, line) => Take(line.Data, Output);
        process.ErrorDataReceived += (_, line) => Take(line.Data, Errors);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public string DataDirectory { get; }

    public int EdgePort { get; }

    /// <summary>The address of edge-0.</summary>
    public Uri BaseAddress => AddressOf(0);

    public CapturedOutput Output { get; } = new();

    public CapturedOutput Errors { get; } = new();

    public int Id => _process.Id;

    public int ExitCode => _process.ExitCode;

    public string AdminToken => File.ReadAllText(Path.Combine(DataDirectory, "secrets", "admin-token")).Trim();

    /// <summary>The address of an edge by its number.</summary>
    public Uri AddressOf(int edge) => new($"http://127.0.0.1:{EdgePort + edge}");

    /// <summary>Starts the AppHost and waits, at most 90 s, until it is ready.</summary>
    /// <param name="arguments">Further arguments, such as <c>--Edge:Replicas=2</c>.</param>
    /// <param name="dataDirectory">A data directory to use and leave; null for a new one that is removed in the end.</param>
    /// <param name="environment">Variables to set, or to remove where the value is null.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public static async Task<AppHostProcess> StartAsync(
        IEnumerable<string>? arguments = null,
        string? dataDirectory = null,
        IReadOnlyDictionary<string, string?>? environment = null,
        CancellationToken cancellationToken = default)
    {
        var host = Launch(arguments, dataDirectory, environment);
        try
        {
            await host.WaitUntilReadyAsync(cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the AppHost without waiting; for tests of starts that fail.</summary>
    public static AppHostProcess Launch(
        IEnumerable<string>? arguments = null, string? dataDirectory = null, IReadOnlyDictionary<string, string?>? environment = null)
    {
        string[] given = [.. arguments ?? []];
        var data = dataDirectory ?? Directory.CreateTempSubdirectory("apphost-").FullName;
        var port = GivenPort(given) ?? FreePorts.InARow(16);
        var start = new ProcessStartInfo("dotnet", [BuiltPrograms.Of("AppHost"), $"--Data:Directory={data}", $"--Edge:Port={port}", .. given])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        start.Environment["DOTNET_ENVIRONMENT"] = "Development";
        // As in the tests' own processes: code instrumented for later gains nothing here.
        start.Environment["DOTNET_TieredPGO"] = "0";
        _ = start.Environment.Remove("OPENAI_API_KEY");
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        return new AppHostProcess(Process.Start(start)!, data, dataDirectory is null, port);
    }

    /// <summary>Waits for the line <c>Ready:</c>; if it does not come, the exception tells what was printed.</summary>
    public async Task WaitUntilReadyAsync(CancellationToken cancellationToken = default)
    {
        var exited = _process.WaitForExitAsync(cancellationToken);
        try
        {
            if (await Task.WhenAny(_ready.Task, exited).WaitAsync(ReadyLimit, cancellationToken) == _ready.Task)
            {
                return;
            }
        }
        catch (TimeoutException)
        {
            throw new InvalidOperationException($"The AppHost was not ready in {ReadyLimit.TotalSeconds} s. {Report()}");
        }

        throw new InvalidOperationException($"The AppHost ended with exit code {_process.ExitCode}. {Report()}");
    }

    /// <summary>The process id of a resource (<c>edge-0</c>, <c>postgres</c>, ...), or null while it is not running.</summary>
    public int? ProcessOf(string resource)
    {
        try
        {
            return int.Parse(File.ReadAllText(Path.Combine(DataDirectory, "run", $"{resource}.pid")), CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The process ids of all running resources, by name.</summary>
    public IReadOnlyDictionary<string, int> Processes()
    {
        var folder = Path.Combine(DataDirectory, "run");
        var names = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.pid").Select(Path.GetFileNameWithoutExtension) : [];
        return names.Select(name => (Name: name!, Id: ProcessOf(name!))).Where(entry => entry.Id is not null)
            .ToDictionary(entry => entry.Name, entry => entry.Id!.Value);
    }

    /// <summary>Kills a resource with SIGKILL and returns the id it had.</summary>
    public int Kill(string resource)
    {
        var id = ProcessOf(resource) ?? throw new InvalidOperationException($"{resource} is not running. {Report()}");
        ProcessSignals.Kill(id);
        return id;
    }

    /// <summary>Waits until a resource runs as another process than <paramref name="former"/>.</summary>
    public async Task<int> WaitForRestartAsync(string resource, int former, TimeSpan limit, CancellationToken cancellationToken = default)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(began) < limit)
        {
            if (ProcessOf(resource) is { } id && id != former && ProcessSignals.IsRunning(id))
            {
                return id;
            }

            await Task.Delay(Poll, TimeProvider.System, cancellationToken);
        }

        throw new TimeoutException($"{resource} was not started again within {limit.TotalSeconds} s. {Report()}");
    }

    /// <summary>Kills the AppHost itself with SIGKILL, leaving its children to notice.</summary>
    public async Task KillAsync()
    {
        ProcessSignals.Kill(Id);
        await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(StopLimit);
    }

    /// <summary>Asks the AppHost to stop with SIGTERM and checks that it ends, with exit code 0 and no child left.</summary>
    public async Task StopAsync()
    {
        var children = Processes();
        ProcessSignals.Terminate(Id);
        if (await ExitCodeAsync() is not 0 and var code)
        {
            throw new InvalidOperationException($"The AppHost stopped with exit code {code}. {Report()}");
        }

        var left = children.Where(child => ProcessSignals.IsRunning(child.Value)).Select(child => child.Key).ToList();
        if (left.Count > 0)
        {
            throw new InvalidOperationException($"The AppHost left {string.Join(", ", left)} behind. {Report()}");
        }
    }

    /// <summary>The exit code, once the AppHost has ended; it must do so within 40 s.</summary>
    public async Task<int> ExitCodeAsync()
    {
        try
        {
            await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(StopLimit);
            return _process.ExitCode;
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"The AppHost did not end within {StopLimit.TotalSeconds} s. {Report()}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            ProcessSignals.Terminate(Id);
            try
            {
                await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(StopLimit);
            }
            catch (TimeoutException)
            {
                ProcessSignals.Kill(Id);
                await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(StopLimit);
            }
        }

        // Where the AppHost was killed its children end by themselves, soon.
        var began = TimeProvider.System.GetTimestamp();
        while (Processes().Values.Any(ProcessSignals.IsRunning) && TimeProvider.System.GetElapsedTime(began) < StopLimit)
        {
            await Task.Delay(Poll, TimeProvider.System, CancellationToken.None);
        }

        _process.Dispose();
        if (_ownsData && Directory.Exists(DataDirectory))
        {
            Directory.Delete(DataDirectory, recursive: true);
        }
    }

    private static int? GivenPort(string[] arguments) => arguments
        .Where(argument => argument.StartsWith("--Edge:Port=", StringComparison.OrdinalIgnoreCase))
        .Select(argument => (int?)int.Parse(argument["--Edge:Port=".Length..], CultureInfo.InvariantCulture)).LastOrDefault();

    private void Take(string? line, CapturedOutput output)
    {
        if (line is null)
        {
            return;
        }

        output.Add(line);
        if (line.StartsWith("Ready:", StringComparison.Ordinal))
        {
            _ = _ready.TrySetResult();
        }
    }

    private string Report() => $"Standard error:\n{Errors.Tail()}\nStandard output:\n{Output.Tail()}";
}

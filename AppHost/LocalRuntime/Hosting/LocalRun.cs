using AppHost.LocalRuntime.Output;
using AppHost.LocalRuntime.Stores;
using Microsoft.Extensions.Configuration;

namespace AppHost.LocalRuntime.Hosting;

/// <summary>One run of the system on this machine, from taking the data directory to giving it back.</summary>
internal sealed class LocalRun(IReadOnlyList<IResource> resources, IConfiguration configuration, string dataDirectory, TimeProvider clock)
{
    private readonly PrefixedLog _log = PrefixedLog.ForConsole();

    public async Task RunAsync(CancellationToken stop, CancellationToken hurry)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new RunFailedException("The local runtime runs on Linux and macOS; on Windows build with -p:UseAspire=true or use WSL.");
        }

        using var data = DataDirectory.Take(dataDirectory);
        var runs = new RunDirectory(Path.Combine(data.Path, "run"), clock);
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        try
        {
            await runs.EndOrphansAsync(line => _log.Write(Supervisor.RuntimeName, line), stop);
            CheckFixedPorts();
            var system = new SupervisedSystem([.. Workloads(data.Path, http)], runs, _log, clock);
            await system.RunAsync(stop, hurry);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Stopped before anything was started.
        }
        finally
        {
            _log.Flush();
        }
    }

    private void CheckFixedPorts()
    {
        foreach (var project in resources.OfType<ProjectResource>())
        {
            if (project.Endpoint is { IsFixed: true } endpoint && !FreePort.IsFree(endpoint.Port))
            {
                throw new RunFailedException($"Port {endpoint.Port} of {project.Name} is taken; free it, or choose another with --Edge:Port=<port>.");
            }
        }
    }

    private IEnumerable<IWorkload> Workloads(string data, HttpClient http)
    {
        var output = new ProjectOutput(AppContext.BaseDirectory, configuration["LocalRuntime:Program"]);
        var jobs = resources.OfType<ProjectResource>().SelectMany(project => project.Dependencies)
            .Where(dependency => dependency.Completion).Select(dependency => dependency.On).ToHashSet();
        foreach (var resource in resources)
        {
            switch (resource)
            {
                case PostgresServerResource postgres:
                    yield return new PostgresWorkload(
                        postgres, PostgresInstallation.Find(configuration["Stores:PostgresDirectory"]), Path.Combine(data, postgres.Name), _log, clock);
                    break;
                case RedisResource redis:
                    yield return new RedisWorkload(
                        redis, RedisServer.Find(configuration["Stores:RedisServer"]), Path.Combine(data, redis.Name));
                    break;
                case ProjectResource project:
                    yield return new ProjectWorkload(project, jobs.Contains(project.Name), output, http);
                    break;
                default:
                    break;
            }
        }
    }
}

using System.ComponentModel;
using AppHost.LocalRuntime;
using AppHost.LocalRuntime.Hosting;

namespace Aspire.Hosting;

/// <summary>The application the AppHost declared. <see cref="Run"/> starts it and returns when it has ended.</summary>
public sealed class DistributedApplication
{
    private readonly LocalRun _run;

    internal DistributedApplication(LocalRun run) => _run = run;

    public static IDistributedApplicationBuilder CreateBuilder(string[] args) => new DistributedApplicationBuilder(args);

    /// <summary>Runs until a signal asks for the end; a failure is one line on standard error and a non-zero exit code.</summary>
    public void Run() => RunAsync().GetAwaiter().GetResult();

    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        using var signals = new StopSignals(cancellationToken);
        try
        {
            await _run.RunAsync(signals.Stop, signals.Hurry);
        }
        catch (Exception failure) when (failure is RunFailedException or IOException or UnauthorizedAccessException or Win32Exception)
        {
            Console.Error.WriteLine(failure.Message);
            Environment.ExitCode = 1;
        }
    }
}

using AppHost.Processes;
using Microsoft.Extensions.Hosting;

namespace AppHost.Lifecycle;

/// <summary>Stops the AppHost when the <c>dotnet run</c> (or test host) that started it is gone: it waits for the AppHost as long as it lives, so it was killed.</summary>
internal sealed class ParentWatch(IHostApplicationLifetime lifetime, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // Of the moment in which the AppHost begins to start: it may be gone before that is done.
    private readonly int? _parent = OperatingSystem.IsWindows() ? null : Dotnet(Signals.ParentProcess());

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_parent is not { } parent)
        {
            return;
        }

        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if (Signals.ParentProcess() != parent)
            {
                lifetime.StopApplication();
                return;
            }
        }
    }

    private static int? Dotnet(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/comm").Trim() == "dotnet" ? process : null;
        }
        catch (IOException)
        {
            // Where there is no /proc, the launch profile tells that dotnet run is the parent.
            return Environment.GetEnvironmentVariable("DOTNET_LAUNCH_PROFILE") is null ? null : process;
        }
    }
}

using Microsoft.Extensions.DependencyInjection;

namespace AppHost.Lifecycle;

/// <summary>Runs what the AppHost has declared.</summary>
internal static class AppHostRun
{
    /// <summary>Runs until a signal asks for the end, or the start fails, and returns the process' exit code. A failure is a line, not a stack trace.</summary>
    public static async Task<int> RunToEndAsync(this DistributedApplication application)
    {
        var outcome = application.Services.GetRequiredService<RunOutcome>();
        try
        {
            await using (application)
            {
                await application.RunAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // Asked to stop while it started.
        }
        catch (Exception failure)
        {
            if (outcome.Fail())
            {
                Console.Error.WriteLine(failure.Message);
            }
        }
        return outcome.ExitCode;
    }
}

using AppHost.Preparation;
using AppHost.Topology;
using Aspire.Hosting.Lifecycle;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace AppHost.Lifecycle;

/// <summary>Declares how the system lives: what happens when a part of it crashes, and in which order it stops.</summary>
internal static class LifecycleExtensions
{
    /// <summary>
    /// Services and stores that end unasked are started again on their ports, at first soon and then less often; a start that cannot succeed ends.
    /// The ids of running processes stand in <c>Data:Directory/run</c>.
    /// </summary>
    public static void RestartWhatCrashes(this IDistributedApplicationBuilder builder, PreparedStart start)
    {
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<RunOutcome>().AddSingleton(new RunFiles(start.Settings));
        builder.Services.AddEventingSubscriber<RunFilesWriter>();
        builder.Services.AddEventingSubscriber<CrashRestarts>();
        builder.Services.AddEventingSubscriber<StartFailures>();
    }

    /// <summary>Stops <paramref name="layers"/> one after the other when the AppHost stops; what does not end by itself within <paramref name="limit"/> is stopped by the orchestrator.</summary>
    public static void StopInOrder(this IDistributedApplicationBuilder builder, IReadOnlyList<IReadOnlyList<IResource>> layers, TimeSpan limit)
    {
        if (builder.ExecutionContext.IsRunMode)
        {
            _ = builder.Services
                .AddHostedService(provider => ActivatorUtilities.CreateInstance<OrderedStop>(provider, layers, limit))
                .AddHostedService<ParentWatch>();
        }
    }

    /// <summary>Whether a resource is a job: others wait for its end.</summary>
    public static bool IsJob(this IResource resource) => resource.HasAnnotationOfType<JobAnnotation>();
}

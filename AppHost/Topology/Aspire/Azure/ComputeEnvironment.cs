using Azure.Provisioning.AppContainers;

namespace AppHost.Topology;

/// <summary>Where a deployment runs: Azure Container Apps with managed stores.</summary>
internal static class ComputeEnvironment
{
    private const string SpoolVolume = "spool";

    /// <summary>A migration is tried again if a store is not up yet.</summary>
    private const int JobRetries = 3;
    private const int JobTimeoutSeconds = 600;

    public static void AddComputeEnvironment(this IDistributedApplicationBuilder builder)
    {
        if (builder.ExecutionContext.IsPublishMode)
        {
            _ = builder.AddAzureContainerAppEnvironment("env");
        }
    }

    /// <summary>Azure Database for PostgreSQL and Azure Managed Redis.</summary>
    public static DataStores AddManagedStores(this IDistributedApplicationBuilder builder)
    {
        // Passwords, not Entra ID: the services then use the same clients everywhere.
        var postgres = builder.AddAzurePostgresFlexibleServer("postgres").WithPasswordAuthentication();
        return new(
            postgres.AddDatabase("continuitydb", "continuity"),
            postgres.AddDatabase("accountsdb", "accounts"),
            builder.AddAzureManagedRedis("redis").WithAccessKeyAuthentication());
    }

    /// <summary>A Container Apps job with a manual trigger: a deployment starts it before it updates the services.</summary>
    public static IResourceBuilder<ProjectResource> PublishAsJob(this IResourceBuilder<ProjectResource> job) =>
        job.PublishAsAzureContainerAppJob((_, containerAppJob) =>
        {
            containerAppJob.Configuration.ReplicaRetryLimit = JobRetries;
            containerAppJob.Configuration.ReplicaTimeout = JobTimeoutSeconds;
        });

    /// <summary>
    /// One app with exactly one replica for each edge: a session's holder must be addressable, and replicas of one app
    /// share an address. The spool lives as long as the replica, also across restarts of its container.
    /// </summary>
    public static IResourceBuilder<ProjectResource> PublishAsSingleReplica(this IResourceBuilder<ProjectResource> service) =>
        service.PublishAsAzureContainerApp((_, app) =>
        {
            app.Template.Scale.MinReplicas = 1;
            app.Template.Scale.MaxReplicas = 1;
            app.Template.Volumes.Add(new ContainerAppVolume { Name = SpoolVolume, StorageType = ContainerAppStorageType.EmptyDir });
            app.Template.Containers[0].Value!.VolumeMounts.Add(new ContainerAppVolumeMount { VolumeName = SpoolVolume, MountPath = "/spool" });
        });
}

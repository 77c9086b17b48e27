using AppHost.Topology;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AppHost.Commands;

/// <summary>What an operator does with an edge.</summary>
internal static class EdgeCommands
{
    public const string Drain = "drain";

    /// <summary>Takes an edge out of service: it refuses new turns, lets running ones end, and closes its sockets. A restart brings it back.</summary>
    public static IResourceBuilder<ProjectResource> WithDrainCommand(this IResourceBuilder<ProjectResource> edge, Secrets secrets) => edge.WithHttpCommand(
        "/internal/drain", "Drain", endpointName: ServiceExtensions.Internal, commandName: Drain, commandOptions: new HttpCommandOptions
        {
            Method = HttpMethod.Post,
            Description = "Take no new turns, let running ones end. A restart brings the edge back.",
            ConfirmationMessage = "Drain this edge? It says that it is not ready, and its conversations go on elsewhere; restart it to bring it back.",
            IconName = "DrinkToGo",
            UpdateState = command => command.ResourceSnapshot.HealthStatus == HealthStatus.Healthy ? ResourceCommandState.Enabled : ResourceCommandState.Disabled,
            PrepareRequest = async request => request.Request.Headers.Add(
                "x-internal-token", await secrets.InternalToken.Resource.GetValueAsync(request.CancellationToken)),
            GetCommandResult = answer => Task.FromResult(answer.Response.IsSuccessStatusCode
                ? CommandResults.Success("It drains; restart it when its turns have ended.")
                : CommandResults.Failure($"It answered {(int)answer.Response.StatusCode}.")),
        });
}

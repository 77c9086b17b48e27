using AppHost.Processes;
using Microsoft.Extensions.Configuration;

namespace AppHost.Stores;

/// <summary>The container engine that the orchestrator would use.</summary>
internal static class ContainerEngine
{
    // Whoever does not answer at once would hold up every start on a machine that has a client and no engine.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>Whether one really answers: the program alone, without an engine behind it, is not enough.</summary>
    public static async Task<bool> AnswersAsync(IConfiguration configuration, CancellationToken cancellationToken)
    {
        var program = SearchPath.Find(configuration["ASPIRE_CONTAINER_RUNTIME"] ?? configuration["DOTNET_ASPIRE_CONTAINER_RUNTIME"] ?? "docker");
        return program is not null && (await ProgramRun.OfAsync([program, "ps", "--quiet"], Limit, cancellationToken: cancellationToken)).Succeeded;
    }
}

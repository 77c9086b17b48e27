using AppHost.Configuration;
using AppHost.Stores;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace AppHost.Commands;

/// <summary>Starts afresh: empties the local stores and the edges' spools, while all that uses them is stopped.</summary>
internal static class ResetDataCommand
{
    public const string Name = "reset-data";

    private static readonly TimeSpan StepLimit = TimeSpan.FromSeconds(60);

    /// <summary>Adds the command to the local PostgreSQL.</summary>
    /// <param name="users">What uses the stores, in the order in which it is stopped; started again in reverse.</param>
    /// <param name="jobs">The migrations, run in between.</param>
    public static void WithResetDataCommand(
        this IResourceBuilder<LocalPostgresResource> postgres, LocalRedisResource redis, IReadOnlyList<IReadOnlyList<IResource>> users,
        IReadOnlyList<IResource> jobs, AppHostSettings settings) => _ = postgres.WithCommand(
        Name, "Reset local data",
        async context =>
        {
            var steps = new Steps(context.Services, context.CancellationToken);
            foreach (var layer in users)
            {
                await steps.RunAsync(layer, KnownResourceCommands.StopCommand, KnownResourceStates.TerminalStates);
            }

            await postgres.Resource.EmptyAsync(context.CancellationToken);
            await EmptyAsync(redis, context.CancellationToken);
            foreach (var edge in settings.Edges)
            {
                DeleteSpool(settings, edge);
            }

            await steps.RunAsync(jobs, KnownResourceCommands.StartCommand, [KnownResourceStates.Finished]);
            foreach (var layer in users.Reverse())
            {
                await steps.RunAsync(layer, KnownResourceCommands.StartCommand, [KnownResourceStates.Running]);
            }
            return CommandResults.Success("All conversations, accounts, keys and logs are gone; what the seed names is there again.");
        },
        new CommandOptions
        {
            Description = "Empties both databases, Redis and the spools, and starts the services again.",
            ConfirmationMessage = "Delete all local data? Conversations, accounts, API keys and request logs are lost; accounts and keys of the seed are made again.",
            IconName = "Delete",
        });

    private static async Task EmptyAsync(LocalRedisResource redis, CancellationToken cancellationToken)
    {
        var connection = await redis.ConnectionStringExpression.GetValueAsync(cancellationToken);
        await using var client = await ConnectionMultiplexer.ConnectAsync($"{connection},allowAdmin=true");
        _ = await client.GetDatabase().ExecuteAsync("FLUSHALL");
    }

    private static void DeleteSpool(AppHostSettings settings, EdgeAddress edge)
    {
        var spool = Path.Combine(settings.DataDirectory, edge.Name, "spool");
        if (Directory.Exists(spool))
        {
            Directory.Delete(spool, recursive: true);
        }
    }

    /// <summary>Commands to resources, and waiting until they have had their effect.</summary>
    private sealed class Steps(IServiceProvider services, CancellationToken cancellationToken)
    {
        public async Task RunAsync(IReadOnlyList<IResource> resources, string command, IReadOnlyList<string> states)
        {
            var commands = services.GetRequiredService<ResourceCommandService>();
            var notifications = services.GetRequiredService<ResourceNotificationService>();
            using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            bound.CancelAfter(StepLimit);
            await Task.WhenAll(resources.Select(async resource =>
            {
                _ = await commands.ExecuteCommandAsync(resource, command, bound.Token);
                _ = await notifications.WaitForResourceAsync(resource.Name, states, bound.Token);
            }));
        }
    }
}

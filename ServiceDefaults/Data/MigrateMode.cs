using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceDefaults.Data;

/// <summary>The mode <c>migrate</c> of a service: apply its migrations and end. The AppHost makes the service wait for it.</summary>
public static class MigrateMode
{
    /// <summary>The command-line argument that asks for the mode.</summary>
    public const string Argument = "migrate";

    /// <summary>Runs the service, or only its migrations where the arguments say so.</summary>
    public static async Task RunOrMigrateAsync(this WebApplication app, string[] args)
    {
        if (!args.Contains(Argument))
        {
            await app.RunAsync();
            return;
        }
        await using (app)
        {
            var migrator = ActivatorUtilities.CreateInstance<Migrator>(app.Services);
            await migrator.MigrateAsync(Assembly.GetEntryAssembly()!, app.Lifetime.ApplicationStopping);
        }
    }
}

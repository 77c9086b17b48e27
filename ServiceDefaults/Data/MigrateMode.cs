using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceDefaults.Data;

/// <summary>The mode <c>migrate</c> of a service: apply its migrations and end. The AppHost makes the service wait for it.</summary>
public static class MigrateMode
{
    private const string Argument = "migrate";

    /// <summary>True if the command line asks for the mode.</summary>
    public static bool IsAskedFor(string[] args) => args.Contains(Argument);

    /// <summary>Applies the migrations that the service's assembly embeds.</summary>
    public static async Task MigrateAsync(this WebApplication app)
    {
        await using (app)
        {
            var migrator = ActivatorUtilities.CreateInstance<Migrator>(app.Services);
            await migrator.MigrateAsync(Assembly.GetEntryAssembly()!, app.Lifetime.ApplicationStopping);
        }
    }
}

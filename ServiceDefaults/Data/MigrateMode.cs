using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace ServiceDefaults.Data;

/// <summary>
/// How a service's database is brought up to date: by its mode <c>migrate</c>, which ends when that is done and which the AppHost makes the service wait for; or, with
/// <c>Migrations:AtStart=true</c>, by the service itself before it listens, where nobody can make it wait. Any number of instances may do either at once.
/// </summary>
public static partial class MigrateMode
{
    private const string Argument = "migrate";
    private const string AtStart = "Migrations:AtStart";
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(2);

    /// <summary>True if the command line asks for the mode.</summary>
    public static bool IsAskedFor(string[] args) => args.Contains(Argument);

    /// <summary>Applies the migrations that the service's assembly embeds, and returns the process' exit code: 1 where that failed, which is logged.</summary>
    public static async Task<int> MigrateAsync(this WebApplication app)
    {
        await using (app)
        {
            try
            {
                await ApplyAsync(app, app.Lifetime.ApplicationStopping);
                return 0;
            }
            catch (Exception exception) when (exception is NpgsqlException or InvalidOperationException)
            {
                LogFailed(app.Services.GetRequiredService<ILogger<Migrator>>(), exception.Message);
                return 1;
            }
        }
    }

    /// <summary>Runs the service and returns its exit code; with <c>Migrations:AtStart=true</c> its database is up to date when it begins to listen, whenever the database comes.</summary>
    public static async Task<int> MigrateAndRunAsync(this WebApplication app)
    {
        if (app.Configuration.GetValue<bool>(AtStart))
        {
            await MigrateWhenThereAsync(app);
        }
        await app.RunAsync();
        return Environment.ExitCode;
    }

    private static async Task MigrateWhenThereAsync(WebApplication app)
    {
        var logger = app.Services.GetRequiredService<ILogger<Migrator>>();
        var time = app.Services.GetRequiredService<TimeProvider>();
        while (true)
        {
            try
            {
                await ApplyAsync(app, app.Lifetime.ApplicationStopping);
                return;
            }
            // A server that is away, that is starting, or whose database is still to be made: it comes. Anything else needs somebody.
            catch (NpgsqlException exception) when (exception is not PostgresException { SqlState: not (PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.InvalidCatalogName) })
            {
                LogAway(logger, exception.GetType().Name, RetryInterval.TotalSeconds);
                await Task.Delay(RetryInterval, time, app.Lifetime.ApplicationStopping);
            }
        }
    }

    private static async Task ApplyAsync(WebApplication app, CancellationToken cancellationToken)
    {
        var migrator = ActivatorUtilities.CreateInstance<Migrator>(app.Services);
        await migrator.MigrateAsync(Assembly.GetEntryAssembly()!, cancellationToken);
    }

    [LoggerMessage(3, LogLevel.Critical, "The migrations failed: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);

    [LoggerMessage(2, LogLevel.Warning, "The database is away ({Error}); migrations are tried again in {Seconds} s")]
    private static partial void LogAway(ILogger logger, string error, double seconds);
}

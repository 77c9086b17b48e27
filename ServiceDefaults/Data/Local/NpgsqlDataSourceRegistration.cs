using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

#pragma warning disable IDE0130 // Aspire.Npgsql has its extension in this namespace; services must not know which of the two they use.
namespace Microsoft.Extensions.Hosting;
#pragma warning restore IDE0130

/// <summary>The same shape as Aspire.Npgsql's registration, for machines where that package cannot be restored.</summary>
public static class NpgsqlDataSourceRegistration
{
    /// <summary>
    /// Adds an <see cref="NpgsqlDataSource"/> for <c>ConnectionStrings:{connectionName}</c> (or <c>Aspire:Npgsql:ConnectionString</c>),
    /// with a health check and telemetry. A missing connection string fails when the data source is first asked for, so that it is logged.
    /// </summary>
    public static void AddNpgsqlDataSource(this IHostApplicationBuilder builder, string connectionName)
    {
        builder.Services.AddNpgsqlDataSource("", (provider, source) =>
        {
            var configuration = provider.GetRequiredService<IConfiguration>();
            var connectionString = configuration.GetConnectionString(connectionName) ?? configuration["Aspire:Npgsql:ConnectionString"]
                ?? throw new InvalidOperationException($"ConnectionStrings:{connectionName} is missing.");
            source.ConnectionStringBuilder.ConnectionString = connectionString;
        });
        builder.Services.AddHealthChecks().AddCheck<DatabaseCheck>("PostgreSql");
    }

    private sealed class DatabaseCheck(NpgsqlDataSource database) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                await using var command = database.CreateCommand("SELECT 1");
                await command.ExecuteScalarAsync(cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                return HealthCheckResult.Unhealthy();
            }
        }
    }
}

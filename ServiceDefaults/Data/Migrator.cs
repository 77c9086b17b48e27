using System.Data;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace ServiceDefaults.Data;

/// <summary>
/// Applies a service's embedded <c>.sql</c> files in the order of their names, each in a transaction of its own,
/// under an advisory lock, so that any number of instances may start it at once. A file that was applied never changes.
/// </summary>
public sealed partial class Migrator(NpgsqlDataSource database, ILogger<Migrator> logger)
{
    // Any number will do as long as every Migrator uses the same one: the lock is per database.
    private const long LockKey = 0x436f6e74;

    /// <summary>Brings the database up to date and returns how many files that took.</summary>
    /// <exception cref="InvalidOperationException">A file that was applied earlier has changed since.</exception>
    public async Task<int> MigrateAsync(Assembly assembly, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await ExecuteAsync(connection, $"SELECT pg_advisory_lock({LockKey})", cancellationToken);
        try
        {
            await ExecuteAsync(connection,
                "CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
                cancellationToken);
            var applied = await ReadAppliedAsync(connection, cancellationToken);
            var count = 0;
            foreach (var (name, text) in EmbeddedText.ReadAll(assembly, ".sql"))
            {
                var checksum = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\n"))));
                if (applied.TryGetValue(name, out var known))
                {
                    if (known != checksum)
                    {
                        throw new InvalidOperationException($"The migration {name} was changed after it had been applied; add a new file instead.");
                    }
                    continue;
                }
                await ApplyAsync(connection, name, text, checksum, cancellationToken);
                LogApplied(name);
                count++;
            }
            return count;
        }
        finally
        {
            // A connection that broke has given the lock back already, and what broke it is the error to tell.
            if (connection.FullState == ConnectionState.Open)
            {
                await ExecuteAsync(connection, $"SELECT pg_advisory_unlock({LockKey})", CancellationToken.None);
            }
        }
    }

    private static async Task<Dictionary<string, string>> ReadAppliedAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var applied = new Dictionary<string, string>(StringComparer.Ordinal);
        await using var command = new NpgsqlCommand("SELECT name, checksum FROM schema_migrations", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            applied.Add(reader.GetString(0), reader.GetString(1));
        }
        return applied;
    }

    private static async Task ApplyAsync(NpgsqlConnection connection, string name, string text, string checksum, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, text, cancellationToken);
        await using var record = new NpgsqlCommand("INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", connection, transaction)
        {
            Parameters = { new() { Value = name }, new() { Value = checksum } },
        };
        await record.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        // Without a bound of its own: an index on a large table takes its time, and so does waiting for another instance that builds it.
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    [LoggerMessage(1, LogLevel.Information, "Applied {Migration}")]
    private partial void LogApplied(string migration);
}

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using Proxy.Accounts.Accounts;

namespace Proxy.Accounts.ApiKeys;

/// <summary>API keys in Postgres, as hashes.</summary>
internal sealed class ApiKeyStore(NpgsqlDataSource database)
{
    private const string InsertSql = "INSERT INTO api_keys (id, name, key_hash, hint, models, accounts, limits, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ";

    private const string SeedConflict = """
        ON CONFLICT (name) DO UPDATE SET key_hash = excluded.key_hash, hint = excluded.hint, models = excluded.models,
            accounts = excluded.accounts, limits = excluded.limits, expires_at = excluded.expires_at
        """;

    // Rows that go to the database in one round trip.
    private const int SeedBatch = 500;

    /// <summary>Lower-case hex SHA-256. Keys are long and random, so a plain hash cannot be guessed back.</summary>
    public static string Hash(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    /// <summary>What an administrator recognises a key by: its first characters, and never more than a third of it.</summary>
    public static string HintOf(string key) => key[..Math.Min(8, key.Length / 3)] + "...";

    /// <summary>All keys, revoked ones included.</summary>
    public async Task<IReadOnlyList<ApiKey>> ListAsync(CancellationToken cancellationToken)
    {
        var keys = new List<ApiKey>();
        await using var command = database.CreateCommand("SELECT id, name, key_hash, hint, models, accounts, limits, expires_at, revoked_at FROM api_keys ORDER BY name");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            keys.Add(new ApiKey(
                reader.GetGuid(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetFieldValue<string[]>(4), reader.GetFieldValue<string[]>(5),
                JsonSerializer.Deserialize(reader.GetString(6), StoredJson.Default.IReadOnlyListKeyLimit)!,
                reader.IsDBNull(7) ? null : reader.GetFieldValue<DateTimeOffset>(7),
                reader.IsDBNull(8) ? null : reader.GetFieldValue<DateTimeOffset>(8)));
        }
        return keys;
    }

    /// <summary>Adds the key; false when there is one of its name, or the same one.</summary>
    public async Task<bool> AddAsync(ApiKey key, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(InsertSql + "ON CONFLICT DO NOTHING");
        AddColumns(command.Parameters, key);
        return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
    }

    /// <summary>Adds the keys of a seed, or changes those of their names, all of them or none; a revoked key stays revoked.</summary>
    /// <exception cref="PostgresException">Another name has the same key (unique violation).</exception>
    public async Task SeedAsync(IReadOnlyList<ApiKey> seed, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        foreach (var chunk in seed.Chunk(SeedBatch))
        {
            await using var batch = new NpgsqlBatch(connection, transaction);
            foreach (var key in chunk)
            {
                var command = new NpgsqlBatchCommand(InsertSql + SeedConflict);
                AddColumns(command.Parameters, key);
                batch.BatchCommands.Add(command);
            }
            await batch.ExecuteNonQueryAsync(cancellationToken);
        }
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Revokes for good; false when there is no such key. A revoked key keeps its row: log rows and owners name it.</summary>
    public async Task<bool> RevokeAsync(Guid id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1");
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = now.ToUniversalTime() });
        return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
    }

    private static void AddColumns(NpgsqlParameterCollection parameters, ApiKey key)
    {
        parameters.Add(new() { Value = key.Id });
        parameters.Add(new() { Value = key.Name });
        parameters.Add(new() { Value = key.Hash });
        parameters.Add(new() { Value = key.Hint });
        parameters.Add(new() { Value = key.Models.ToArray() });
        parameters.Add(new() { Value = key.Accounts.ToArray() });
        parameters.Add(new() { Value = JsonSerializer.Serialize(key.Limits, StoredJson.Default.IReadOnlyListKeyLimit), NpgsqlDbType = NpgsqlDbType.Jsonb });
        parameters.Add(new() { Value = (object?)key.ExpiresAt?.ToUniversalTime() ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz });
    }
}

[System.Text.Json.Serialization.JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[System.Text.Json.Serialization.JsonSerializable(typeof(IReadOnlyList<KeyLimit>))]
internal sealed partial class StoredJson : System.Text.Json.Serialization.JsonSerializerContext;
